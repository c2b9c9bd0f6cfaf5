// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/introduction.h"

#include <algorithm>
#include <utility>

#include "elf/base/printable.h"
#include "elf/servers/remote_network.h"

namespace elf {

using Status = ServerReply::Status;

namespace {

bool hasBatch(const wire::ModelMetadata& metadata, const std::string& image) {
  const auto input = std::ranges::find(metadata.inputs, image, &wire::TensorSpec::name);
  return input != metadata.inputs.end() && input->type == wire::DataType::Bytes &&
         input->shape.size() == 2;
}

}  // namespace

Introduction::Introduction(const OffloadSettings& settings) : settings_(&settings) {
  profile_.takesEncoded = !settings.network.sendsTensor;
}

Introduction::Step Introduction::onModelMetadata(const ModelMetadataReply& reply, bool required) {
  using enum Step::Kind;
  if (!reply.ok()) {
    if (reply.status != Status::NotFound || known_ || !required)
      return {.kind = Failed, .why = reply.error};
    if (!settings_->version.empty()) return {.kind = AskVersions, .why = reply.error};
    return {.kind = Missing, .what = "has no model '" + settings_->model + "'", .why = reply.error};
  }
  metadata_ = reply.metadata;
  profile_.rules = reply.metadata.rules;
  profile_.takesRaw = reply.metadata.takesRaw;
  profile_.takesEncoded = reply.metadata.takesEncoded;
  profile_.batched = hasBatch(reply.metadata, settings_->tensors.image);
  profile_.network = untried_ = nullptr;
  profile_.untried = false;
  profile_.outputs = outputsRead(reply.metadata);
  // A server that knows Elf's rules takes binary tensors (docs/wire.md). Others are asked.
  if (profile_.rules) return told();
  auto network = RemoteNetwork::of(settings_->network, reply.metadata);
  if (!network) return {.kind = Failed, .why = network.error()};
  untried_ = std::move(network.value());
  profile_.untried = untried_ != nullptr;
  return {.kind = AskServer};
}

// The outputs that hold detections. None if the server has no others, or does not list them.
std::vector<std::string> Introduction::outputsRead(const wire::ModelMetadata& metadata) const {
  const TensorNames& names = settings_->tensors;
  const ModelRules& rules = metadata.rules ? *metadata.rules : settings_->localRules;
  std::vector<std::string> read;
  for (const wire::TensorSpec& output : metadata.outputs) {
    const std::string& name = output.name;
    if (name == names.boxes || name == names.scores || name == names.labels ||
        (name == names.masks && rules.masks) || (name == names.keypoints && rules.keypoints > 0) ||
        (name == names.rotated && rules.rotated))
      read.push_back(name);
  }
  return read.size() < metadata.outputs.size() ? read : std::vector<std::string>();
}

Introduction::Step Introduction::onVersions(const ModelMetadataReply& reply,
                                            const std::string& why) const {
  const std::string model = "model '" + settings_->model + "'";
  if (reply.status == Status::NotFound)
    return {.kind = Step::Kind::Missing, .what = "has no " + model, .why = reply.error};
  std::string versions;
  for (const std::string& version : reply.metadata.versions)
    versions += (versions.empty() ? "; it has " : ", ") + version;
  return {.kind = Step::Kind::Missing,
          .what = "has no version '" + settings_->version + "' of " + model + printable(versions),
          .why = why};
}

Introduction::Step Introduction::onServerMetadata(const ServerMetadataReply& reply) {
  using enum Step::Kind;
  if (reply.status == Status::Unreachable) return {.kind = Failed, .why = reply.error};
  profile_.takesBinary = reply.takesBinary;
  if (!untried_) return told();
  known_ = true;
  return {.kind = TryNetwork, .binary = reply.takesBinary || reply.mayTakeBinaryNumbers};
}

Introduction::Step Introduction::told() {
  known_ = true;
  return {.kind = Step::Kind::Done};
}

Introduction::Step Introduction::onTrial(const TrialReply& reply, bool binary) {
  using enum Step::Kind;
  if (binary && reply.status == Status::Refused && !profile_.takesBinary)
    return {.kind = TryNetwork, .binary = false};
  if (!reply.network) return {.kind = Failed, .why = reply.error};
  profile_.network = reply.network;
  profile_.untried = false;
  profile_.rules = profile_.network->rules();
  profile_.takesBinary = binary;
  untried_ = nullptr;
  return {.kind = Done};
}

}  // namespace elf

// SPDX-License-Identifier: LGPL-2.1-or-later
// The requests to an endpoint before it gets parts.
#pragma once

#include <string>
#include <vector>

#include "elf/client/inference_client.h"
#include "elf/servers/offload_settings.h"
#include "elf/servers/probe.h"
#include "elf/servers/server_profile.h"

namespace elf {

/** The parsed reply to the trial of a network. */
struct TrialReply : ServerReply {
  /** The network with what the reply shows, and the probes that suit it; null if the reply does not
   * show enough. */
  RemoteNetworkPtr network = {};
  std::vector<Probe> probes = {};
};

/**
 * The introduction of one endpoint: first its model's metadata, or, if the endpoint lacks the
 * model's version, the versions that it has. A third-party server does not know Elf's rules. It may
 * run a network as its exporter made it, and take the network's own tensor
 * (elf/servers/remote_network.h). Then it is also asked whether it takes tensors behind the JSON,
 * and must first answer a trial of noise, which shows what its outputs are. If it refuses that and
 * has not stated that it takes tensors behind the JSON, the trial is repeated inside the JSON.
 *
 * This class sends nothing: the caller passes the replies and takes the next step. Not thread-safe.
 */
class Introduction {
 public:
  struct Step {
    enum class Kind {
      AskVersions,  ///< the metadata of the model without a version; `why` is for onVersions()
      AskServer,    ///< the server's metadata
      TryNetwork,   ///< a trial of untried(), `binary` or not
      Done,         ///< the profile of the endpoint is known
      Missing,      ///< the server lacks the model: `what` says so, `why` is its reply
      Failed        ///< `why`
    };
    Kind kind = Kind::Done;
    bool binary = true;
    /** Sentences without the URL. */
    std::string what = {}, why = {};
  };

  Introduction() = default;
  /** `settings` outlive this. */
  explicit Introduction(const OffloadSettings& settings);

  /** `required`: an endpoint without the model is an error. Otherwise it may get the model later.
   */
  Step onModelMetadata(const ModelMetadataReply& reply, bool required);
  Step onVersions(const ModelMetadataReply& reply, const std::string& why) const;
  Step onServerMetadata(const ServerMetadataReply& reply);
  Step onTrial(const TrialReply& reply, bool binary);

  const ServerProfile& profile() const { return profile_; }
  /** What the endpoint has said of its model last. */
  const wire::ModelMetadata& metadata() const { return metadata_; }
  /** The endpoint has described its model. */
  bool known() const { return known_; }
  /** The network to be tried. */
  const RemoteNetworkPtr& untried() const { return untried_; }
  /** Takes the profile of the endpoint of a whole name for one of its addresses. */
  void assume(const ServerProfile& profile) { profile_ = profile; }

 private:
  std::vector<std::string> outputsRead(const wire::ModelMetadata& metadata) const;
  Step told();

  const OffloadSettings* settings_ = nullptr;
  bool known_ = false;
  wire::ModelMetadata metadata_;
  ServerProfile profile_;
  RemoteNetworkPtr untried_;
};

}  // namespace elf

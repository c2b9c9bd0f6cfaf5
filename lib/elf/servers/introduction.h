// SPDX-License-Identifier: LGPL-2.1-or-later
// What an endpoint is asked before it gets parts.
#pragma once

#include <string>
#include <vector>

#include "elf/client/inference_client.h"
#include "elf/servers/offload_settings.h"
#include "elf/servers/probe.h"
#include "elf/servers/server_profile.h"

namespace elf {

/** The reply to the trial of a network, read. */
struct TrialReply : ServerReply {
  /** The network with what the reply tells, and the probes that suit it; null where it tells
   * nothing. */
  RemoteNetworkPtr network = {};
  std::vector<Probe> probes = {};
};

/**
 * The introduction of one endpoint: first its model's metadata; where the endpoint lacks the
 * model's version, those that it has. A server of others, which does not know Elf's rules, may run
 * a network as its exporter made it, and take that one's own tensor (elf/servers/remote_network.h).
 * Then it is also asked whether it takes tensors behind the JSON, and gets no part before it has
 * answered a trial of noise, of which is learned what its outputs are. Where it refuses that and
 * has not said that it takes tensors behind the JSON, the trial is made once more inside the JSON.
 *
 * It asks nobody: it is told what was answered, and says what comes next. Not thread-safe.
 */
class Introduction {
 public:
  struct Step {
    enum class Kind {
      AskVersions,  ///< the metadata of the model without a version; `why` is for onVersions()
      AskServer,    ///< the server's metadata
      TryNetwork,   ///< a trial of untried(), `binary` or not
      Done,         ///< it is known what the endpoint takes
      Missing,      ///< there is no such model: `what` says so, `why` what was answered
      Failed        ///< `why`
    };
    Kind kind = Kind::Done;
    bool binary = true;
    /** Sentences without the URL. */
    std::string what = {}, why = {};
  };

  Introduction() = default;
  /** `required`: the endpoint has to have the model, else it may be that it has none yet.
   * `settings` outlive it. */
  Introduction(const OffloadSettings& settings, bool required);

  Step onModelMetadata(const ModelMetadataReply& reply);
  Step onVersions(const ModelMetadataReply& reply, const std::string& why) const;
  Step onServerMetadata(const ServerMetadataReply& reply);
  Step onTrial(const TrialReply& reply, bool binary);

  const ServerProfile& profile() const { return profile_; }
  /** The endpoint has told about its model. */
  bool known() const { return known_; }
  /** The network to be tried. */
  const RemoteNetworkPtr& untried() const { return untried_; }
  /** What the endpoint of the whole name has told holds for one of its addresses. */
  void assume(const ServerProfile& profile) { profile_ = profile; }

 private:
  Step told();

  const OffloadSettings* settings_ = nullptr;
  bool required_ = false;
  bool known_ = false;
  ServerProfile profile_;
  RemoteNetworkPtr untried_;
};

}  // namespace elf

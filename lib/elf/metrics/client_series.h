// SPDX-License-Identifier: LGPL-2.1-or-later
// The metrics of the clients of this process, where Prometheus reads them over HTTP. Not installed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "elf/metrics/frame_tally.h"
#include "elf/offload/offloader.h"
#include "elf/stream/frame_sender.h"
#include "elf/stream/stream.h"

namespace elf {

/** Where an endpoint listens. */
struct MetricsPlace {
  /** Address of an interface; not a host name. */
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;

  auto operator<=>(const MetricsPlace&) const = default;
};

/** The labels of all series of one client, in UTF-8. */
struct ClientLabels {
  std::string element;
  std::string stream;

  bool operator==(const ClientLabels&) const = default;
};

/** The counts of one client since its start, and its servers as they are now. */
struct ClientWork {
  FrameTally::Counts frames;
  OffloadStats parts;
  FrameSender::Stats pictures;
  /** The sum of all streams whose frames it sends. */
  Stream::Stats answers;
  /** Without removed ones. */
  std::vector<ServerReport> servers;
};

/**
 * The series of one client. They exist at http://ADDRESS:PORT/metrics while this object lives.
 * Clients with the same place share one endpoint: a SoupServer in a thread of its own
 * (`elf-metrics`). The first client starts it. It has ended when the destructor of the last one
 * returns.
 */
class ClientSeries {
 public:
  /** Returns the work of the client until now. Called for each scrape, in the endpoint's thread,
   * with no lock held. Must not wait for frames. */
  using Look = std::function<ClientWork()>;

  /** Waits for a scrape in progress. `look` is not called after that. Any thread, but not from
   * inside `look`. */
  virtual ~ClientSeries() = default;
  ClientSeries(const ClientSeries&) = delete;
  ClientSeries& operator=(const ClientSeries&) = delete;

 protected:
  ClientSeries() = default;
};

/**
 * If another client has the same labels, a number is added to `element`. Loads the library
 * elfvision-metrics, which stays loaded. Throws elf::Error, naming `metrics-address` or
 * `metrics-port`, if that fails or the endpoint can't listen. Any thread.
 */
std::unique_ptr<ClientSeries> openClientSeries(const MetricsPlace& place, ClientLabels labels,
                                               ClientSeries::Look look);

}  // namespace elf

// SPDX-License-Identifier: LGPL-2.1-or-later
// The HTTP endpoint at which Prometheus reads the metrics of the clients of this process. Not
// installed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "elf/metrics/client_metrics.h"

namespace elf {

/** Where an endpoint listens. */
struct MetricsPlace {
  /** Address of an interface; not a host name. */
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;

  auto operator<=>(const MetricsPlace&) const = default;
};

/**
 * The series of one client. They exist at http://ADDRESS:PORT/metrics while this object lives.
 * Clients with the same place share one endpoint: a SoupServer in a thread of its own
 * (`elf-metrics`). The first client starts it. It has ended when the destructor of the last one
 * returns. Constructor and destructor may be called from any thread.
 */
class ClientSeries {
 public:
  /** Returns the work of the client until now. Called for each scrape, in the endpoint's thread,
   * with no lock held. Must not wait for frames. */
  using Look = std::function<ClientWork()>;

  /**
   * If another client has the same labels, a number is added to `element`. Throws elf::Error,
   * naming `metrics-address` or `metrics-port`, if the endpoint can't listen.
   */
  ClientSeries(const MetricsPlace& place, ClientLabels labels, Look look);
  /** Waits for a scrape in progress. `look` is not called after that. Must not be called from
   * inside it. */
  ~ClientSeries();
  ClientSeries(const ClientSeries&) = delete;
  ClientSeries& operator=(const ClientSeries&) = delete;

 private:
  class Endpoint;
  struct Places;
  static Places& places();

  std::shared_ptr<Endpoint> endpoint_;
};

}  // namespace elf

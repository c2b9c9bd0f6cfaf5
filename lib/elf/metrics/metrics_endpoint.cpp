// SPDX-License-Identifier: LGPL-2.1-or-later
#include <libsoup/soup.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/mutex.h"
#include "elf/http/connections.h"
#include "elf/http/request_framing.h"
#include "elf/metrics/client_metrics.h"
#include "elf/metrics/metrics_module.h"

namespace elf {

namespace {

constexpr const char* kThread = "elf-metrics";
constexpr const char* kPath = "/metrics";
constexpr const char* kType = "text/plain; version=0.0.4; charset=utf-8";
/** Enough for a few Prometheus servers and a browser. */
constexpr ConnectionLimits kLimits{.maxConnections = 16,
                                   .maxBody = std::size_t{64} << 10,
                                   .maxBuffered = 0,  // bodies are discarded
                                   .idle = std::chrono::seconds(60)};

void answer(SoupServerMessage* message, guint status, const std::string& text) {
  soup_server_message_set_status(message, status, nullptr);
  soup_server_message_set_response(message, kType, SOUP_MEMORY_COPY, text.data(), text.size());
}

void refuse(SoupServerMessage* message, const std::string& why) {
  soup_message_headers_replace(soup_server_message_get_response_headers(message), "Connection",
                               "close");
  answer(message, SOUP_STATUS_BAD_REQUEST, why + "\n");
}

/** Serves the metrics of its clients. add() and remove() may be called from any thread. */
class Endpoint {
 public:
  explicit Endpoint(const MetricsPlace& place);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  void add(const ClientSeries* owner, ClientLabels labels, ClientSeries::Look look);
  void remove(const ClientSeries* owner);

 private:
  struct Client {
    const ClientSeries* owner;
    ClientLabels labels;
    std::shared_ptr<const ClientSeries::Look> look;
  };
  /** A scrape in progress, while it lives. */
  struct Scrape;

  void listen(const MetricsPlace& place);
  // In the endpoint's thread.
  void run();
  void handle(SoupServerMessage* message, std::string_view path);
  std::string scrape();

  Connections connections_{kLimits};
  const Ref<GMainContext> context_{g_main_context_new()};
  const Ref<GMainLoop> loop_{g_main_loop_new(context_.get(), FALSE)};
  Ref<SoupServer> server_;
  GThread* thread_ = nullptr;

  /** Held for moments, and never while a `look` is called. */
  Mutex mutex_;
  ConditionVariable looked_;
  std::vector<Client> clients_ ELF_GUARDED_BY(mutex_);
  /** A scrape is in progress, and the number of finished ones. */
  bool looking_ ELF_GUARDED_BY(mutex_) = false;
  std::uint64_t scrapes_ ELF_GUARDED_BY(mutex_) = 0;
};

struct Endpoint::Scrape {
  Endpoint& of;

  explicit Scrape(Endpoint& endpoint) : of(endpoint) {
    const MutexLock lock(of.mutex_);
    of.looking_ = true;
  }
  ~Scrape() {
    {
      const MutexLock lock(of.mutex_);
      of.looking_ = false;
      ++of.scrapes_;
    }
    of.looked_.notifyAll();
  }
  Scrape(const Scrape&) = delete;
  Scrape& operator=(const Scrape&) = delete;
};

/** The endpoints of this process. The lock is held while an endpoint starts or ends, so that its
 * port is free before the next one needs it. */
struct Places {
  Mutex mutex;
  std::map<MetricsPlace, std::weak_ptr<Endpoint>> endpoints ELF_GUARDED_BY(mutex);
};

Places& places() {
  // Never destroyed: an element may end later than this library's objects.
  static Places* const all = new Places;
  return *all;
}

std::shared_ptr<Endpoint> endpointAt(const MetricsPlace& place) {
  Places& all = places();
  const MutexLock lock(all.mutex);
  std::erase_if(all.endpoints, [](const auto& each) { return each.second.expired(); });
  std::shared_ptr<Endpoint> endpoint = all.endpoints[place].lock();
  if (!endpoint) all.endpoints[place] = endpoint = std::make_shared<Endpoint>(place);
  return endpoint;
}

class Series : public ClientSeries {
 public:
  Series(const MetricsPlace& place, ClientLabels labels, Look look) : endpoint_(endpointAt(place)) {
    endpoint_->add(this, std::move(labels), std::move(look));
  }
  ~Series() override {
    endpoint_->remove(this);
    const MutexLock lock(places().mutex);
    endpoint_.reset();
  }

 private:
  std::shared_ptr<Endpoint> endpoint_;
};

Endpoint::Endpoint(const MetricsPlace& place) {
  // The sources of the server belong to the context, which the thread will run.
  g_main_context_push_thread_default(context_.get());
  try {
    listen(place);
  } catch (...) {
    server_.reset();
    g_main_context_pop_thread_default(context_.get());
    throw;
  }
  g_main_context_pop_thread_default(context_.get());
  thread_ = g_thread_new(
      kThread,
      [](gpointer self) -> gpointer {
        static_cast<Endpoint*>(self)->run();
        return nullptr;
      },
      this);
}

Endpoint::~Endpoint() {
  post(context_.get(), [this] { g_main_loop_quit(loop_.get()); });
  g_thread_join(thread_);
}

void Endpoint::listen(const MetricsPlace& place) {
  const Ref<GSocketAddress> address(
      g_inet_socket_address_new_from_string(place.address.c_str(), place.port));
  if (!address)
    throw Error("metrics-address", "'" + place.address + "' is not the address of an interface");
  server_.reset(soup_server_new("raw-paths", TRUE, nullptr));
  soup_server_add_handler(
      server_.get(), nullptr,
      [](SoupServer*, SoupServerMessage* message, const char* path, GHashTable*, gpointer self) {
        guarded([&] { static_cast<Endpoint*>(self)->handle(message, path); });
      },
      this, nullptr);
  soup_server_add_early_handler(
      server_.get(), nullptr,
      [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer) {
        if (const char* fault = framingFault(message)) refuse(message, fault);
      },
      nullptr, nullptr);
  connections_.watch(server_.get());
  GError* error = nullptr;
  if (!soup_server_listen(server_.get(), address.get(), SoupServerListenOptions{}, &error))
    throw Error("metrics-port", "cannot listen on " + place.address + ":" +
                                    std::to_string(place.port) + ": " + takeReason(error));
}

void Endpoint::run() {
  g_main_context_push_thread_default(context_.get());
  g_main_loop_run(loop_.get());
  soup_server_disconnect(server_.get());
  // The connections end in callbacks that are due now.
  while (g_main_context_iteration(context_.get(), FALSE)) {
  }
  server_.reset();
  g_main_context_pop_thread_default(context_.get());
}

void Endpoint::handle(SoupServerMessage* message, std::string_view path) {
  // Stays if an exception is thrown.
  soup_server_message_set_status(message, SOUP_STATUS_INTERNAL_SERVER_ERROR, nullptr);
  const std::string_view verb = soup_server_message_get_method(message);
  if (path != kPath)
    return answer(message, SOUP_STATUS_NOT_FOUND,
                  std::string("the metrics are at ") + kPath + "\n");
  if (verb != "GET" && verb != "HEAD") {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Allow",
                                 "GET, HEAD");
    return answer(message, SOUP_STATUS_METHOD_NOT_ALLOWED, "the metrics are only read\n");
  }
  answer(message, SOUP_STATUS_OK, scrape());
}

std::string Endpoint::scrape() {
  std::vector<ClientMetrics> metrics;
  {
    const Scrape scrape(*this);
    std::vector<Client> clients;
    {
      const MutexLock lock(mutex_);
      clients = clients_;
    }
    for (Client& client : clients) metrics.push_back({std::move(client.labels), (*client.look)()});
  }
  return metricsText(metrics);
}

void Endpoint::add(const ClientSeries* owner, ClientLabels labels, ClientSeries::Look look) {
  const auto shown = std::make_shared<const ClientSeries::Look>(std::move(look));
  const MutexLock lock(mutex_);
  const std::string name = labels.element;
  for (int number = 2; std::ranges::find(clients_, labels, &Client::labels) != clients_.end();
       ++number)
    labels.element = name + "#" + std::to_string(number);
  clients_.push_back({owner, std::move(labels), shown});
}

void Endpoint::remove(const ClientSeries* owner) {
  MutexLock lock(mutex_);
  std::erase_if(clients_, [owner](const Client& client) { return client.owner == owner; });
  const std::uint64_t before = scrapes_;
  while (looking_ && scrapes_ == before) looked_.wait(lock);
}

}  // namespace

}  // namespace elf

extern "C" __attribute__((visibility("default"))) const elf::MetricsModule elf_metrics_module;
const elf::MetricsModule elf_metrics_module = {
    [](const elf::MetricsPlace& place, elf::ClientLabels labels,
       elf::ClientSeries::Look look) -> std::unique_ptr<elf::ClientSeries> {
      return std::make_unique<elf::Series>(place, std::move(labels), std::move(look));
    }};

// SPDX-License-Identifier: LGPL-2.1-or-later
// Threads: only the network thread uses libsoup. It pauses a request for inference, which becomes a
// job in its model's queue. A worker ends the job through an idle source of the network thread's
// context, which sends and unpauses. While a message is paused, libsoup neither reads nor closes
// the socket, so that a worker may ask the kernel whether the peer has hung up.
#include "elf/server/server.h"

#include <gio/gio.h>
#include <libsoup/soup.h>

#include <algorithm>
#include <exception>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "elf/base/glib.h"
#include "elf/base/mutex.h"
#include "elf/base/printable.h"
#include "elf/http/connections.h"
#include "elf/http/request_framing.h"
#include "elf/server/metrics.h"
#include "elf/server/reply.h"
#include "elf/server/request_headers.h"
#include "elf/server/request_log.h"
#include "elf/server/router.h"
#include "elf/server/server_tls.h"
#include "elf/server/serving.h"
#include "elf/server/status_page.h"
#include "elf/wire/metadata.h"

namespace elf {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;

constexpr const char* kJsonLength = "Inference-Header-Content-Length";
constexpr const char* kTraceParent = "traceparent";
constexpr const char* kStream = "Elf-Stream";
/** The rest of a name does not count. */
constexpr std::size_t kLongestStream = 64;
/** Key of the models and options that a request began with, on its message. */
constexpr const char* kServing = "elf-serving";

/** Throws an error about `subject`. Takes `error`. */
[[noreturn]] void fail(const std::string& subject, const std::string& what, GError* error) {
  throw Error(subject, what + takeReason(error));
}

/** Keeps exceptions out of libsoup: one that `body` throws becomes a 500. */
template <typename Body>
void guarded(SoupServerMessage* message, Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
  } catch (const std::exception& error) {
    soup_server_message_set_status(message, SOUP_STATUS_INTERNAL_SERVER_ERROR, nullptr);
    g_warning("elf-server: %s", error.what());
  }
}

const char* requestHeader(SoupServerMessage* message, const char* name) {
  return soup_message_headers_get_one(soup_server_message_get_request_headers(message), name);
}

/** The stream of a request: a name is the peer's own, as no other may use up its turns. */
std::string streamOf(SoupServerMessage* message) {
  const char* const name = requestHeader(message, kStream);
  RequestRecord& record = recordOf(message);
  if (name) record.stream = std::string(name).substr(0, kLongestStream);
  return record.peer + " " + record.stream;
}

void setHeader(SoupServerMessage* message, const char* name, const char* value) {
  soup_message_headers_replace(soup_server_message_get_response_headers(message), name, value);
}

Json tally(const Tally& of) {
  return {{"count", of.count}, {"ns", std::chrono::nanoseconds(of.time).count()}};
}

Json statisticsOf(ModelQueue& queue) {
  const ModelTallies tallies = queue.metrics().tallies();
  const auto last = duration_cast<std::chrono::milliseconds>(tallies.last.time_since_epoch());
  std::uint64_t runs = 0;
  Json batches = Json::array();
  for (const auto& [size, tallied] : tallies.runs) {
    runs += tallied.count;
    batches.push_back({{"batch_size", size}, {"compute_infer", tally(tallied)}});
  }
  return {{"name", queue.metadata().name},
          {"version", ModelQueue::kVersion},
          {"last_inference", last.count()},
          {"inference_count", tallies.infer.count},
          {"execution_count", runs},
          {"inference_stats",
           {{"success", tally(tallies.success)},
            {"fail", tally(tallies.fail)},
            {"queue", tally(tallies.queue)},
            {"compute_input", tally(tallies.decode)},
            {"compute_infer", tally(tallies.infer)},
            {"compute_output", tally(tallies.encode)},
            {"cache_hit", tally({})},
            {"cache_miss", tally({})}}},
          {"batch_stats", batches}};
}

}  // namespace

class Server::Impl {
 public:
  Impl(const std::vector<ModelFactory>& factories, const ServerOptions& options)
      : options_(options),
        connections_({.maxConnections = options.maxConnections,
                      .maxBody = options.maxBody,
                      .maxBuffered = options.maxBuffered,
                      .idle = options.idle}),
        context_(g_main_context_new()),
        loop_(g_main_loop_new(context_.get(), FALSE)) {
    serving_ = made(factories, options);
    std::promise<std::string> listening;
    std::future<std::string> url = listening.get_future();
    // The promise moves into the thread: it must outlive the call that fulfils it.
    network_ =
        std::thread([this, promise = std::move(listening)]() mutable { runNetwork(promise); });
    try {
      url_ = url.get();
    } catch (...) {
      network_.join();
      throw;
    }
  }

  ~Impl() {
    stop(std::chrono::milliseconds(0));
    // A worker's request holds its Serving.
    for (const ServingPtr& serving : alive())
      for (const auto& queue : serving->queues) queue->end();
    serving_.reset();
    // Drops answers that are not sent any more. Their data still counts in connections_.
    loop_.reset();
    context_.reset();
  }

  const std::string& url() const { return url_; }

  void reload(const std::vector<ModelFactory>& factories, const ServerOptions& options) {
    if (options.tlsCert.empty() != options_.tlsCert.empty())
      throw Error(options.tlsCert + options_.tlsCert, "HTTP and HTTPS need a new server each");
    ServingPtr serving = made(factories, options);
    ServerTls tls(options);
    std::promise<void> promise;
    const std::future<void> done = promise.get_future();
    invoke([this, serving = std::move(serving), tls = std::move(tls),
            promise = std::move(promise)]() mutable {
      serving_ = std::move(serving);
      if (tls.certificate) tls.apply(soup_);
      promise.set_value();
    });
    done.wait();
  }

  bool stop(std::chrono::milliseconds patience) {
    {
      const MutexLock lock(mutex_);
      if (stopping_) return true;
      stopping_ = true;
    }
    for (const ServingPtr& serving : alive())
      for (const auto& queue : serving->queues) queue->stop();
    bool finished = false;
    {
      MutexLock lock(mutex_);
      const auto until = std::chrono::steady_clock::now() + patience;
      while (unanswered_ > 0 && allAnswered_.waitUntil(lock, until)) {
      }
      finished = unanswered_ == 0;
    }
    invoke([this] { g_main_loop_quit(loop_.get()); });
    network_.join();
    return finished;
  }

 private:
  // --- any thread

  /** Runs `task` in the network thread. Drops tasks that still wait when that has ended. */
  template <typename Task>
  void invoke(Task task) {
    post(context_.get(), std::move(task));
  }

  ServingPtr made(const std::vector<ModelFactory>& factories, const ServerOptions& options) {
    auto serving = std::make_shared<const Serving>(factories, options, metrics_);
    const MutexLock lock(mutex_);
    std::erase_if(servings_, [](const auto& each) { return each.expired(); });
    servings_.push_back(serving);
    return serving;
  }

  /** The current one, and those that requests still hold. */
  std::vector<ServingPtr> alive() {
    const MutexLock lock(mutex_);
    std::vector<ServingPtr> alive;
    for (const auto& each : servings_)
      if (ServingPtr serving = each.lock()) alive.push_back(std::move(serving));
    return alive;
  }

  bool stopping() {
    const MutexLock lock(mutex_);
    return stopping_;
  }

  // --- the network thread

  void runNetwork(std::promise<std::string>& listening) {
    pthread_setname_np(pthread_self(), "elf-server-net");
    g_main_context_push_thread_default(context_.get());
    {
      const Ref<SoupServer> server(
          soup_server_new("server-header", "elf-server", "raw-paths", TRUE, nullptr));
      soup_ = server.get();
      bool ready = false;
      try {
        std::string url = listen(server.get());
        ready = true;
        listening.set_value(std::move(url));
      } catch (...) {
        listening.set_exception(std::current_exception());
      }
      const Ref<GSource> heart = beat();
      if (ready) g_main_loop_run(loop_.get());
      soup_server_disconnect(server.get());
      // Connections end in callbacks that are due now.
      while (g_main_context_iteration(context_.get(), FALSE)) {
      }
    }
    g_main_context_pop_thread_default(context_.get());
  }

  std::string listen(SoupServer* server) {
    soup_server_add_early_handler(server, nullptr, onHeaders, this, nullptr);
    soup_server_add_handler(server, nullptr, onRequest, this, nullptr);
    connections_.watch(server);
    g_signal_connect(server, "request-started", G_CALLBACK(onStart), this);
    g_signal_connect(server, "request-finished", G_CALLBACK(onEnd), this);
    // Also for requests that were answered with 500.
    g_signal_connect(server, "request-aborted", G_CALLBACK(onEnd), this);
    const ServerTls tls(options_);
    const bool secure = tls.certificate != nullptr;
    if (secure) {
      tls.apply(server);
      g_signal_connect(server, "request-started", G_CALLBACK(onPeer), nullptr);
    }
    openPort(server, secure ? SOUP_SERVER_LISTEN_HTTPS : SoupServerListenOptions{});
    GSList* uris = soup_server_get_uris(server);
    std::string url = takeText(g_uri_to_string(static_cast<GUri*>(uris->data)));
    g_slist_free_full(uris, reinterpret_cast<GDestroyNotify>(g_uri_unref));
    while (url.ends_with('/')) url.pop_back();
    return url;
  }

  void openPort(SoupServer* server, SoupServerListenOptions how) const {
    GError* error = nullptr;
    if (options_.socket >= 0) {
      const std::string place = "socket " + std::to_string(options_.socket);
      const Ref<GSocket> socket(g_socket_new_from_fd(options_.socket, &error));
      if (!socket) fail(place, "", error);
      if (!soup_server_listen_socket(server, socket.get(), how, &error))
        fail(place, "cannot listen: ", error);
      return;
    }
    const Ref<GSocketAddress> address(
        g_inet_socket_address_new_from_string(options_.bind.c_str(), options_.port));
    if (!address) throw Error(options_.bind, "not the address of an interface");
    if (!soup_server_listen(server, address.get(), how, &error))
      fail(options_.bind + ":" + std::to_string(options_.port), "cannot listen: ", error);
  }

  /** Null if there is nothing to call. */
  Ref<GSource> beat() {
    const auto interval = duration_cast<std::chrono::milliseconds>(options_.heartbeatInterval);
    if (interval.count() == 0) return nullptr;
    Ref<GSource> heart(g_timeout_source_new(static_cast<guint>(interval.count())));
    const auto onBeat = [](gpointer self) -> gboolean {
      guarded([self] { static_cast<Impl*>(self)->options_.heartbeat(); });
      return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(heart.get(), onBeat, this, nullptr);
    g_source_attach(heart.get(), context_.get());
    return heart;
  }

  static void onPeer(SoupServer*, SoupServerMessage* message, gpointer) {
    // Called for each certificate, even without faults. Without a handler it is refused.
    const auto faultless = [](SoupServerMessage*, GTlsCertificate*, GTlsCertificateFlags faults,
                              gpointer) -> gboolean { return faults == 0; };
    g_signal_connect(message, "accept-certificate", G_CALLBACK(+faultless), nullptr);
  }

  /** The models and options of the request: those that are current when this is first called. */
  const ServingPtr& servingOf(SoupServerMessage* message) const {
    auto* serving = static_cast<ServingPtr*>(g_object_get_data(G_OBJECT(message), kServing));
    if (!serving) {
      serving = new ServingPtr(serving_);
      attach(message, kServing, serving);
      // The message of a kept connection lives on.
      const auto onFinished = [](SoupServerMessage* finished, gpointer) {
        g_object_set_data(G_OBJECT(finished), kServing, nullptr);
      };
      g_signal_connect(message, "finished", G_CALLBACK(+onFinished), nullptr);
    }
    return *serving;
  }

  bool allowed(SoupServerMessage* message, const std::optional<Route>& route) const {
    const bool open =
        route && (route->endpoint == Endpoint::Live || route->endpoint == Endpoint::Ready ||
                  route->endpoint == Endpoint::Page);
    const std::string& token = servingOf(message)->options.token;
    return open || token.empty() || bringsToken(requestHeader(message, "Authorization"), token);
  }

  // A client sees its 401 or 413 only if it can finish sending: closing a connection with unread
  // bytes resets it. So unwanted bodies are read and discarded, up to a limit.

  /** The queue of the request if its body is accepted. Null: no body is wanted. */
  ModelQueue* taker(SoupServerMessage* message, const std::optional<Route>& route) const {
    const bool infer = route && route->endpoint == Endpoint::Infer &&
                       soup_server_message_get_method(message) == std::string_view("POST");
    return infer && allowed(message, route) ? servingOf(message)->find(route->model) : nullptr;
  }

  /** Ends a request before its body if the header shows that it is too large, or ambiguous. */
  static void onHeaders(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                        gpointer self) {
    auto* impl = static_cast<Impl*>(self);
    guarded(message, [&] {
      SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
      ModelQueue* queue = impl->taker(message, routeOf(path));
      const goffset length =
          soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH
              ? soup_message_headers_get_content_length(headers)
              : 0;
      if (const char* fault = framingFault(message))
        refuseBody(message, queue, SOUP_STATUS_BAD_REQUEST, fault);
      else if (length < 0)
        refuseBody(message, queue, SOUP_STATUS_BAD_REQUEST, "Content-Length: not a length");
      else if (impl->connections_.hopeless(static_cast<std::uint64_t>(length)))
        impl->refuseLargeBody(message, queue);
      else if (!queue)
        impl->connections_.forgetBody(message);
    });
  }

  void refuseLargeBody(SoupServerMessage* message, ModelQueue* queue) const {
    refuseBody(message, queue, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE,
               "body: more than " + std::to_string(options_.maxBody) + " bytes");
  }

  /** Closes the connection, because more of the body may follow. */
  static void refuseBody(SoupServerMessage* message, ModelQueue* queue, guint status,
                         const std::string& why) {
    setHeader(message, "Connection", "close");
    if (queue) queue->metrics().answered(status, {});
    send(message, errorReply(status, why));
  }

  static void onRequest(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                        gpointer self) {
    guarded(message, [&] { static_cast<Impl*>(self)->handle(message, path); });
  }

  void handle(SoupServerMessage* message, const char* path) {
    const char* traceparent = requestHeader(message, kTraceParent);
    if (std::string trace = traceIdOf(traceparent); !trace.empty()) {
      recordOf(message).trace = std::move(trace);
      setHeader(message, kTraceParent, traceparent);
    }
    const Serving& serving = *servingOf(message);
    const std::optional<Route> route = routeOf(path);
    if (!allowed(message, route)) {
      setHeader(message, "WWW-Authenticate", "Bearer");
      return send(message, errorReply(SOUP_STATUS_UNAUTHORIZED, "the token is missing or wrong"));
    }
    ModelQueue* const taking = taker(message, route);
    switch (Connections::bodyState(message)) {
      case BodyState::TooLarge:
        return refuseLargeBody(message, taking);
      case BodyState::NoRoom:
        // Only a body for a queue is held.
        taking->metrics().answered(SOUP_STATUS_SERVICE_UNAVAILABLE, {});
        return send(message, errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE,
                                        "too many requests are on their way"));
      case BodyState::Whole:
        break;
    }
    if (!route)
      return send(message,
                  errorReply(SOUP_STATUS_NOT_FOUND, std::string(path) + ": no such endpoint"));
    ModelQueue* queue = nullptr;
    if (!route->model.empty()) {
      queue = serving.find(route->model);
      if (!queue)
        return send(message,
                    errorReply(SOUP_STATUS_NOT_FOUND, "model '" + route->model + "' is unknown"));
      recordOf(message).model = route->model;
      if (route->version.value_or(ModelQueue::kVersion) != ModelQueue::kVersion)
        return send(message, errorReply(SOUP_STATUS_NOT_FOUND, "version '" + *route->version +
                                                                   "' of model '" + route->model +
                                                                   "' is unknown"));
    }
    const std::string verb = soup_server_message_get_method(message);
    const bool infer = route->endpoint == Endpoint::Infer;
    if (infer ? verb != "POST" : verb != "GET" && verb != "HEAD")
      return refuseVerb(message, infer ? "POST" : "GET, HEAD");
    if (infer) return enqueue(message, *queue);
    Reply reply = answerTo(route->endpoint, serving, queue);
    compress(reply, acceptedCoding(requestHeader(message, "Accept-Encoding")));
    send(message, std::move(reply));
  }

  /** Answers all but Infer. `queue` is null if the path names no model. */
  Reply answerTo(Endpoint endpoint, const Serving& serving, ModelQueue* queue) {
    switch (endpoint) {
      case Endpoint::Page:
        return page_.reply();
      case Endpoint::Status:
        return statusReply(serving.queues, started_);
      case Endpoint::Metrics: {
        const std::string text = metrics_.text();
        return {.body = {text.begin(), text.end()}, .type = "text/plain; version=0.0.4"};
      }
      case Endpoint::Server:
        return jsonReply(
            Json{{"name", "elf-server"},
                 {"version", ELF_VERSION},
                 {"extensions", {"binary_tensor_data", "schedule_policy", "statistics"}}}
                .dump());
      case Endpoint::Live:
        return jsonReply(R"({"live":true})");
      case Endpoint::Ready:
        return readiness({{"ready", true}});
      case Endpoint::Model:
        return jsonReply(wire::encodeMetadata(queue->metadata()));
      case Endpoint::ModelReady:
        return readiness({{"name", queue->metadata().name}, {"ready", true}});
      case Endpoint::Statistics: {
        Json list = Json::array();
        for (const auto& each : serving.queues)
          if (!queue || queue == each.get()) list.push_back(statisticsOf(*each));
        return jsonReply(Json{{"model_stats", std::move(list)}}.dump());
      }
      case Endpoint::Infer:
        break;
    }
    return errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, "no such endpoint");
  }

  static void refuseVerb(SoupServerMessage* message, const char* verbs) {
    setHeader(message, "Allow", verbs);
    send(message,
         errorReply(SOUP_STATUS_METHOD_NOT_ALLOWED, std::string("this endpoint takes ") + verbs));
  }

  Reply readiness(const Json& json) {
    return stopping() ? errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, "shutting down")
                      : jsonReply(json.dump());
  }

  void enqueue(SoupServerMessage* message, ModelQueue& queue) {
    InferJob job;
    const auto refuse = [&](guint status, const std::string& why) {
      queue.metrics().answered(status, {});
      send(message, errorReply(status, why));
    };
    if (const char* text = requestHeader(message, kJsonLength)) {
      job.jsonLength = jsonLengthOf(text);
      if (!job.jsonLength)
        return refuse(SOUP_STATUS_BAD_REQUEST, std::string(kJsonLength) + ": not a number");
    }
    const auto coding = codingOf(requestHeader(message, "Content-Encoding"));
    if (!coding) {
      setHeader(message, "Accept-Encoding", "gzip, deflate");
      return refuse(SOUP_STATUS_UNSUPPORTED_MEDIA_TYPE,
                    "Content-Encoding: is neither gzip nor deflate");
    }
    job.stream = streamOf(message);
    job.coding = *coding;
    job.accepted = acceptedCoding(requestHeader(message, "Accept-Encoding"));
    job.body = Connections::takeBody(message);
    job.received = Clock::now();
    job.abandoned =
        [socket = std::shared_ptr<GSocket>(shared(soup_server_message_get_socket(message)))] {
          return hungUp(socket.get());
        };
    // A message that ends before its job has no Serving any more.
    job.done = [this, held = std::shared_ptr<SoupServerMessage>(shared(message)),
                serving = servingOf(message)](InferOutcome outcome) mutable {
      invoke([held = std::move(held), serving = std::move(serving),
              outcome = std::move(outcome)]() mutable {
        SoupServerMessage* answered = held.get();
        guarded(answered, [&] {
          RequestRecord& record = recordOf(answered);
          record.id = std::move(outcome.id);
          record.times = outcome.times;
          send(answered, std::move(outcome.reply));
        });
        Connections::awaitPeer(answered);
        soup_server_message_unpause(answered);
      });
    };
    {
      const MutexLock lock(mutex_);
      ++unanswered_;
    }
    g_signal_connect(message, "finished", G_CALLBACK(onAnswered), this);
    Connections::stopWaiting(message);
    soup_server_message_pause(message);
    queue.put(std::move(job));
  }

  /** The answer is on its way, or the peer has gone. */
  static void onAnswered(SoupServerMessage*, gpointer self) {
    auto* impl = static_cast<Impl*>(self);
    {
      const MutexLock lock(impl->mutex_);
      --impl->unanswered_;
    }
    impl->allAnswered_.notifyAll();
  }

  static void onStart(SoupServer*, SoupServerMessage* message, gpointer) {
    guarded(message, [&] { startRecord(message); });
  }

  static void onEnd(SoupServer*, SoupServerMessage* message, gpointer self) {
    const auto& log = static_cast<Impl*>(self)->serving_->options.log;
    // Ignores a connection that ends without a request.
    if (!log || !soup_server_message_get_method(message)) return;
    guarded(message, [&] { log(logLine(message)); });
  }

  /** Only address and limits of connections are those of now: see serving_. */
  const ServerOptions options_;
  const Clock::time_point started_ = Clock::now();
  const StatusPage page_;
  ServerMetrics metrics_;
  std::string url_;
  /** Belongs to the network thread. */
  Connections connections_;
  Ref<GMainContext> context_;
  Ref<GMainLoop> loop_;
  /** For the next requests. Belongs to the network thread. */
  ServingPtr serving_;
  /** Belongs to the network thread. */
  SoupServer* soup_ = nullptr;

  // Held briefly, never while calling out.
  Mutex mutex_;
  ConditionVariable allAnswered_;
  /** Paused messages whose answer is not written yet. */
  std::size_t unanswered_ ELF_GUARDED_BY(mutex_) = 0;
  bool stopping_ ELF_GUARDED_BY(mutex_) = false;
  /** All that were made and may be alive. */
  std::vector<std::weak_ptr<const Serving>> servings_ ELF_GUARDED_BY(mutex_);

  std::thread network_;
};

Server::Server(const std::vector<ModelFactory>& models, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(models, options)) {}

Server::~Server() = default;

const std::string& Server::url() const {
  return impl_->url();
}

void Server::reload(const std::vector<ModelFactory>& models, const ServerOptions& options) {
  impl_->reload(models, options);
}

bool Server::stop(std::chrono::milliseconds patience) {
  return impl_->stop(patience);
}

}  // namespace elf

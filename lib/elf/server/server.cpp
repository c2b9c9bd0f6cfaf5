// SPDX-License-Identifier: LGPL-2.1-or-later
// Threads: everything of libsoup is touched by the network thread only. A request that is to be
// inferred is paused there and becomes a Job; a worker takes the Job from the queue and hands a
// Reply back through an idle source of the network thread's context, which sends and unpauses.
// While its message is paused libsoup does not read the socket nor close it, so that a worker may
// ask the kernel whether the peer has hung up.
#include "elf/server/server.h"

#include <gio/gio.h>
#include <libsoup/soup.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "elf/base/printable.h"
#include "elf/server/metrics.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"

namespace elf {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr const char* kJsonLength = "Inference-Header-Content-Length";
constexpr const char* kInputName = "image";
constexpr const char* kVersion = "1";
constexpr const char* kRetrySeconds = "1";
// Keys of what is kept of a connection on its socket, and of a request on its message.
constexpr const char* kConnection = "elf-connection";
constexpr const char* kUpload = "elf-upload";

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
  void operator()(GMainContext* context) const { g_main_context_unref(context); }
  void operator()(GMainLoop* loop) const { g_main_loop_unref(loop); }
};
template <typename T>
using Ref = std::unique_ptr<T, Unref>;

template <typename T>
Ref<T> shared(T* object) {
  return Ref<T>(static_cast<T*>(g_object_ref(object)));
}

struct Reply {
  guint status = SOUP_STATUS_OK;
  std::vector<std::uint8_t> body;
  /** Set where the body is JSON and tensors. */
  std::optional<std::size_t> jsonLength;
  std::string type = "application/json";
};

Reply jsonReply(const std::string& text, guint status = SOUP_STATUS_OK) {
  return {.status = status, .body = {text.begin(), text.end()}};
}

Reply errorReply(guint status, const std::string& why) {
  return jsonReply(Json{{"error", printable(why)}}.dump(), status);
}

void send(SoupServerMessage* message, const Reply& reply) {
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  if (reply.jsonLength)
    soup_message_headers_replace(headers, kJsonLength, std::to_string(*reply.jsonLength).c_str());
  if (reply.status == SOUP_STATUS_SERVICE_UNAVAILABLE)
    soup_message_headers_replace(headers, "Retry-After", kRetrySeconds);
  soup_server_message_set_status(message, reply.status, nullptr);
  soup_server_message_set_response(message, reply.type.c_str(), SOUP_MEMORY_COPY,
                                   reinterpret_cast<const char*>(reply.body.data()),
                                   reply.body.size());
}

/** No exception enters libsoup: what `body` throws becomes a 500. */
template <typename Body>
void guarded(SoupServerMessage* message, Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
  } catch (const std::exception& error) {
    soup_server_message_set_status(message, SOUP_STATUS_INTERNAL_SERVER_ERROR, nullptr);
    g_warning("elf-server: %s", error.what());
  }
}

struct Job {
  Ref<SoupServerMessage> message;
  Ref<GSocket> socket;
  Ref<GBytes> body;
  std::optional<std::size_t> jsonLength;
  Clock::time_point received;
};

bool hungUp(GSocket* socket) {
  char byte;
  const ssize_t n = recv(g_socket_get_fd(socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

std::int64_t microsecondsBetween(Clock::time_point from, Clock::time_point to) {
  return duration_cast<microseconds>(to - from).count();
}

/** The header of that name; unset where absent, nullopt inside where it is no number. */
std::optional<std::optional<std::size_t>> jsonLengthOf(SoupMessageHeaders* headers) {
  const char* text = soup_message_headers_get_one(headers, kJsonLength);
  if (!text) return std::nullopt;
  guint64 value = 0;
  if (!g_ascii_string_to_unsigned(text, 10, 0, std::numeric_limits<std::size_t>::max() / 2, &value,
                                  nullptr))
    return std::optional<std::size_t>();
  return std::optional<std::size_t>(value);
}

std::vector<std::string> segmentsOf(const char* path) {
  std::vector<std::string> segments;
  gchar** parts = g_strsplit(path, "/", 12);
  for (gchar** part = parts; *part; ++part) {
    gchar* plain = g_uri_unescape_string(*part, nullptr);
    if (plain && *plain) segments.emplace_back(plain);
    g_free(plain);
  }
  g_strfreev(parts);
  return segments;
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ModelFactory& factory, const ServerOptions& options)
      : options_(options),
        context_(g_main_context_new()),
        loop_(g_main_loop_new(context_.get(), FALSE)) {
    for (int i = 0; i < std::max(1, options_.threads); ++i) models_.push_back(factory());
    idle_ = models_.size();
    const InferenceModel& model = *models_.front();
    metadata_ = {.name = model.name(),
                 .versions = {kVersion},
                 .platform = model.platform(),
                 .inputs = {{kInputName, wire::DataType::Bytes, {1}}},
                 .outputs = {{"boxes", wire::DataType::Fp32, {-1, 4}},
                             {"scores", wire::DataType::Fp32, {-1}},
                             {"labels", wire::DataType::Int64, {-1}}},
                 .takesRaw = true,
                 .rules = model.rules()};
    metrics_.emplace(metadata_.name);
    std::promise<std::string> listening;
    std::future<std::string> url = listening.get_future();
    // The promise moves along: it must outlive the call that fulfils it.
    network_ =
        std::thread([this, promise = std::move(listening)]() mutable { runNetwork(promise); });
    try {
      url_ = url.get();
    } catch (...) {
      network_.join();
      throw;
    }
    for (const auto& each : models_)
      workers_.emplace_back([this, model = each.get()] { runWorker(*model); });
  }

  ~Impl() {
    stop(std::chrono::milliseconds(0));
    for (std::thread& worker : workers_) worker.join();
  }

  const std::string& url() const { return url_; }

  bool stop(std::chrono::milliseconds patience) {
    std::deque<Job> waiting;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return true;
      stopping_ = true;
      waiting.swap(queue_);
    }
    wakeWorkers_.notify_all();
    for (Job& job : waiting)
      answer(std::move(job.message), errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, "shutting down"));
    bool finished = false;
    {
      std::unique_lock lock(mutex_);
      finished = allAnswered_.wait_for(lock, patience, [this] { return unanswered_ == 0; });
    }
    invoke([this] { g_main_loop_quit(loop_.get()); });
    network_.join();
    return finished;
  }

 private:
  // --- any thread

  /** Runs `task` in the network thread. What is still waiting when that has ended is dropped. */
  template <typename Task>
  void invoke(Task task) {
    GSource* source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(
        source,
        [](gpointer data) -> gboolean {
          (*static_cast<Task*>(data))();
          return G_SOURCE_REMOVE;
        },
        new Task(std::move(task)), [](gpointer data) { delete static_cast<Task*>(data); });
    g_source_attach(source, context_.get());
    g_source_unref(source);
  }

  void answer(Ref<SoupServerMessage> message, Reply reply) {
    metrics_->answered(reply.status);
    invoke([message = std::move(message), reply = std::move(reply)] {
      guarded(message.get(), [&] { send(message.get(), reply); });
      awaitPeer(message.get());
      soup_server_message_unpause(message.get());
    });
  }

  // --- the network thread

  void runNetwork(std::promise<std::string>& listening) {
    pthread_setname_np(pthread_self(), "elf-server-net");
    g_main_context_push_thread_default(context_.get());
    {
      const Ref<SoupServer> server(soup_server_new("server-header", "elf-server", nullptr));
      bool ready = false;
      try {
        std::string url = listen(server.get());
        ready = true;
        listening.set_value(std::move(url));
      } catch (...) {
        listening.set_exception(std::current_exception());
      }
      if (ready) g_main_loop_run(loop_.get());
      soup_server_disconnect(server.get());
      // Connections end in callbacks that are due now.
      while (g_main_context_iteration(context_.get(), FALSE)) {
      }
    }
    g_main_context_pop_thread_default(context_.get());
  }

  std::string listen(SoupServer* server) {
    const std::string place = options_.bind + ":" + std::to_string(options_.port);
    const Ref<GSocketAddress> address(
        g_inet_socket_address_new_from_string(options_.bind.c_str(), options_.port));
    if (!address) throw Error(options_.bind, "is no address of an interface");
    soup_server_add_early_handler(server, nullptr, onHeaders, this, nullptr);
    soup_server_add_handler(server, nullptr, onRequest, this, nullptr);
    g_signal_connect(server, "request-started", G_CALLBACK(onStarted), this);
    GError* error = nullptr;
    if (!soup_server_listen(server, address.get(), static_cast<SoupServerListenOptions>(0),
                            &error)) {
      const std::string why = error->message;
      g_error_free(error);
      throw Error(place, "cannot listen: " + why);
    }
    GSList* uris = soup_server_get_uris(server);
    gchar* text = g_uri_to_string(static_cast<GUri*>(uris->data));
    std::string url = text;
    g_free(text);
    g_slist_free_full(uris, reinterpret_cast<GDestroyNotify>(g_uri_unref));
    while (url.ends_with('/')) url.pop_back();
    return url;
  }

  struct Connection {
    Impl* impl;
    GSocket* socket;
    /** Hangs up. Runs whenever the peer is waited for. */
    GSource* timer = nullptr;

    Connection(Impl* server, GSocket* its) : impl(server), socket(its) {}
    ~Connection() { stopTimer(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void hangUp() { g_socket_shutdown(socket, TRUE, TRUE, nullptr); }

    void stopTimer() {
      if (!timer) return;
      g_source_destroy(timer);
      g_source_unref(std::exchange(timer, nullptr));
    }

    void startTimer() {
      stopTimer();
      timer = g_timeout_source_new(static_cast<guint>(impl->options_.idle.count()));
      g_source_set_callback(
          timer,
          [](gpointer self) -> gboolean {
            static_cast<Connection*>(self)->hangUp();
            return G_SOURCE_REMOVE;
          },
          this, nullptr);
      g_source_attach(timer, impl->context_.get());
    }
  };

  struct Upload {
    Impl* impl;
    std::size_t received = 0;
    /** What of it counts in Impl::buffered_. */
    std::size_t buffered = 0;
    bool noRoom = false;

    explicit Upload(Impl* server) : impl(server) {}
    ~Upload() { impl->buffered_ -= buffered; }
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
  };

  /** A T that lives as long as `object`. */
  template <typename T>
  static void attach(gpointer object, const char* key, T* data) {
    g_object_set_data_full(G_OBJECT(object), key, data,
                           [](gpointer freed) { delete static_cast<T*>(freed); });
  }

  static Upload& uploadOf(SoupServerMessage* message) {
    return *static_cast<Upload*>(g_object_get_data(G_OBJECT(message), kUpload));
  }

  /** Null once the message has lost its connection. */
  static Connection* connectionOf(SoupServerMessage* message) {
    GSocket* socket = soup_server_message_get_socket(message);
    if (!socket) return nullptr;
    return static_cast<Connection*>(g_object_get_data(G_OBJECT(socket), kConnection));
  }

  static void awaitPeer(SoupServerMessage* message) {
    if (Connection* connection = connectionOf(message)) connection->startTimer();
  }

  /** A connection is there, or a kept one has its next request. */
  static void onStarted(SoupServer*, SoupServerMessage* message, gpointer self) {
    auto* impl = static_cast<Impl*>(self);
    attach(message, kUpload, new Upload(impl));
    g_signal_connect(message, "got-chunk", G_CALLBACK(onChunk), self);
    g_signal_connect(message, "got-headers", G_CALLBACK(awaitPeer), nullptr);
    g_signal_connect(message, "finished", G_CALLBACK(awaitPeer), nullptr);
    GSocket* socket = soup_server_message_get_socket(message);
    if (!g_object_get_data(G_OBJECT(socket), kConnection))
      attach(socket, kConnection, new Connection(impl, socket));
    awaitPeer(message);
  }

  // A client sees its 413 only if it gets to send what it has begun: a connection that is closed
  // with bytes unread is reset. So what is too large is read and forgotten, up to a bound.
  bool hopeless(std::uint64_t bytes) const { return bytes / 2 > options_.maxBody; }

  /** Ends an upload that the header already says to be hopeless before it begins. */
  static void onHeaders(SoupServer*, SoupServerMessage* message, const char*, GHashTable*,
                        gpointer self) {
    guarded(message, [&] {
      SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
      const auto* impl = static_cast<Impl*>(self);
      if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH &&
          impl->hopeless(
              static_cast<std::uint64_t>(soup_message_headers_get_content_length(headers))))
        impl->refuseBody(message);
    });
  }

  static void onChunk(SoupServerMessage* message, GBytes* chunk, gpointer self) {
    auto& impl = *static_cast<Impl*>(self);
    const std::size_t bound = impl.options_.maxBody;
    Upload& upload = uploadOf(message);
    const std::size_t size = g_bytes_get_size(chunk);
    upload.received += size;
    if (impl.hopeless(upload.received))
      if (Connection* connection = connectionOf(message)) connection->hangUp();
    if (upload.noRoom || upload.received - size > bound) return;
    upload.buffered += size;
    impl.buffered_ += size;
    upload.noRoom = impl.buffered_ > impl.options_.maxBuffered;
    if (!upload.noRoom && upload.received <= bound) return;
    SoupMessageBody* body = soup_server_message_get_request_body(message);
    soup_message_body_set_accumulate(body, FALSE);
    soup_message_body_truncate(body);
    impl.buffered_ -= std::exchange(upload.buffered, 0);
  }

  void refuseBody(SoupServerMessage* message) const {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Connection",
                                 "close");
    send(message, errorReply(SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE,
                             "body: more than " + std::to_string(options_.maxBody) + " bytes"));
  }

  static void onRequest(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                        gpointer self) {
    guarded(message, [&] { static_cast<Impl*>(self)->handle(message, path); });
  }

  void handle(SoupServerMessage* message, const char* path) {
    const Upload& upload = uploadOf(message);
    if (upload.received > options_.maxBody) return refuseBody(message);
    if (upload.noRoom)
      return send(message, errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE,
                                      "too many requests are on their way"));
    const std::vector<std::string> segments = segmentsOf(path);
    const std::string verb = soup_server_message_get_method(message);
    const auto at = [&segments](std::size_t i) {
      return i < segments.size() ? segments[i] : std::string();
    };
    const auto notFound = [&] {
      send(message, errorReply(SOUP_STATUS_NOT_FOUND, std::string(path) + ": no such endpoint"));
    };
    const auto get = [&](const Reply& reply) {
      if (verb == "GET" || verb == "HEAD") return send(message, reply);
      refuseVerb(message, "GET, HEAD");
    };
    if (segments.size() == 1 && at(0) == "metrics") return get(metricsReply());
    if (at(0) != "v2") return notFound();
    if (segments.size() == 1) return get(serverMetadata());
    if (at(1) == "health" && segments.size() == 3) {
      if (at(2) == "live") return get(jsonReply(R"({"live":true})"));
      if (at(2) == "ready") return get(readiness(R"({"ready":true})"));
      return notFound();
    }
    if (at(1) != "models" || segments.size() < 3) return notFound();
    if (at(2) != metadata_.name)
      return send(message, errorReply(SOUP_STATUS_NOT_FOUND, "model '" + at(2) + "' is unknown"));
    std::size_t next = 3;
    if (at(3) == "versions") {
      if (at(4) != kVersion)
        return send(message,
                    errorReply(SOUP_STATUS_NOT_FOUND,
                               "version '" + at(4) + "' of model '" + at(2) + "' is unknown"));
      next = 5;
    }
    if (segments.size() == next) return get(jsonReply(wire::encodeMetadata(metadata_)));
    if (segments.size() > next + 1) return notFound();
    if (at(next) == "ready")
      return get(readiness(Json{{"name", metadata_.name}, {"ready", true}}.dump()));
    if (at(next) != "infer") return notFound();
    if (verb != "POST") return refuseVerb(message, "POST");
    enqueue(message);
  }

  static void refuseVerb(SoupServerMessage* message, const char* allowed) {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Allow",
                                 allowed);
    send(message,
         errorReply(SOUP_STATUS_METHOD_NOT_ALLOWED, std::string("this endpoint takes ") + allowed));
  }

  static Reply serverMetadata() {
    return jsonReply(Json{{"name", "elf-server"},
                          {"version", ELF_VERSION},
                          {"extensions", {"binary_tensor_data", "schedule_policy"}}}
                         .dump());
  }

  Reply metricsReply() {
    const std::size_t waiting = [this] {
      const std::lock_guard lock(mutex_);
      return queue_.size();
    }();
    const std::string text = metrics_->text(waiting);
    return {.body = {text.begin(), text.end()}, .type = "text/plain; version=0.0.4"};
  }

  Reply readiness(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return stopping_ ? errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE, "shutting down")
                     : jsonReply(text);
  }

  void refuse(SoupServerMessage* message, const Reply& reply) {
    metrics_->answered(reply.status);
    send(message, reply);
  }

  void enqueue(SoupServerMessage* message) {
    const auto jsonLength = jsonLengthOf(soup_server_message_get_request_headers(message));
    if (jsonLength && !*jsonLength)
      return refuse(message, errorReply(SOUP_STATUS_BAD_REQUEST,
                                        std::string(kJsonLength) + ": is no number"));
    Job job;
    job.message = shared(message);
    job.socket = shared(soup_server_message_get_socket(message));
    job.body.reset(soup_message_body_flatten(soup_server_message_get_request_body(message)));
    if (jsonLength) job.jsonLength = *jsonLength;
    job.received = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      // An idle worker takes its request from the queue too: that one does not wait.
      if (stopping_ || queue_.size() >= options_.queue + idle_)
        return refuse(message, errorReply(SOUP_STATUS_SERVICE_UNAVAILABLE,
                                          stopping_ ? "shutting down" : "the queue is full"));
      queue_.push_back(std::move(job));
      ++unanswered_;
    }
    g_signal_connect(message, "finished", G_CALLBACK(onFinished), this);
    if (Connection* connection = connectionOf(message)) connection->stopTimer();
    soup_server_message_pause(message);
    wakeWorkers_.notify_one();
  }

  /** The answer is on its way, or there is nobody left to answer. */
  static void onFinished(SoupServerMessage*, gpointer self) {
    auto* impl = static_cast<Impl*>(self);
    {
      const std::lock_guard lock(impl->mutex_);
      --impl->unanswered_;
    }
    impl->allAnswered_.notify_all();
  }

  // --- a worker thread

  void runWorker(InferenceModel& model) {
    pthread_setname_np(pthread_self(), "elf-server-work");
    ImageDecoder decoder(options_.maxPixels);
    std::unique_lock lock(mutex_);
    for (;;) {
      wakeWorkers_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      --idle_;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Reply reply;
      try {
        reply = infer(job, model, decoder);
      } catch (const std::exception& error) {
        reply = errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, error.what());
      }
      job.body.reset();
      answer(std::move(job.message), std::move(reply));
      lock.lock();
      ++idle_;
    }
  }

  Reply infer(const Job& job, InferenceModel& model, ImageDecoder& decoder) {
    const Clock::time_point taken = Clock::now();
    // Nobody reads this answer.
    if (hungUp(job.socket.get())) return errorReply(SOUP_STATUS_REQUEST_TIMEOUT, "hung up");

    gsize size = 0;
    const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(job.body.get(), &size));
    auto parsed = wire::parseRequest({data, size}, job.jsonLength);
    if (!parsed) return errorReply(SOUP_STATUS_BAD_REQUEST, parsed.error());
    wire::InferRequest& request = parsed.value();
    if (const auto timeout = request.parameters.find("timeout");
        timeout != request.parameters.end()) {
      const auto* limit = std::get_if<std::int64_t>(&timeout->second);
      if (!limit || *limit < 0)
        return errorReply(SOUP_STATUS_BAD_REQUEST,
                          "parameters.timeout: is no number of microseconds");
      if (*limit > 0 && microsecondsBetween(job.received, taken) >= *limit)
        return errorReply(SOUP_STATUS_GATEWAY_TIMEOUT,
                          "parameters.timeout: passed while the request waited");
    }
    if (request.inputs.size() != 1)
      return errorReply(SOUP_STATUS_BAD_REQUEST, "inputs: the model takes one, image");
    wire::Tensor& image = request.inputs[0];
    if (job.jsonLength == 0U)
      image = wire::encodedImage(image.data);
    else if (image.name != kInputName)
      return errorReply(SOUP_STATUS_BAD_REQUEST,
                        "inputs[0].name: '" + image.name + "' is unknown, the model takes image");

    const auto picture = decoder.decode(image);
    if (!picture) return errorReply(SOUP_STATUS_BAD_REQUEST, picture.error());
    const auto placement = wire::placementOf(request.parameters, picture.value().size);
    if (!placement) return errorReply(SOUP_STATUS_BAD_REQUEST, placement.error());
    const Clock::time_point decoded = Clock::now();
    const auto detections = model.run(picture.value(), placement.value());
    if (!detections) return errorReply(SOUP_STATUS_INTERNAL_SERVER_ERROR, detections.error());
    const Clock::time_point done = Clock::now();

    wire::InferResponse response{.model = model.name(), .version = kVersion, .id = request.id};
    const std::int64_t queue = microsecondsBetween(job.received, taken);
    const std::int64_t decode = microsecondsBetween(taken, decoded);
    const std::int64_t run = microsecondsBetween(decoded, done);
    metrics_->inferred(microseconds(queue), microseconds(decode), microseconds(run));
    response.parameters = {{"queue_us", queue}, {"decode_us", decode}, {"infer_us", run}};
    std::vector<wire::Tensor> outputs = wire::encodeDetections(detections.value());
    if (request.outputs.empty()) {
      response.outputs = std::move(outputs);
      for (wire::Tensor& output : response.outputs) output.binary = request.binaryOutputs;
    }
    for (const wire::RequestedOutput& wanted : request.outputs) {
      const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& output) {
        return output.name == wanted.name;
      });
      if (found == outputs.end())
        return errorReply(SOUP_STATUS_BAD_REQUEST, "outputs: '" + wanted.name + "' is unknown");
      response.outputs.push_back(*found);
      response.outputs.back().binary = wanted.binary;
    }
    wire::Message message = wire::encode(response);
    return {.body = std::move(message.body),
            .jsonLength = message.jsonLength,
            .type = "application/octet-stream"};
  }

  const ServerOptions options_;
  wire::ModelMetadata metadata_;
  std::string url_;
  /** Set by the constructor. */
  std::optional<ServerMetrics> metrics_;

  // Bytes of bodies. Of the network thread alone; what that leaves over is freed with context_, and
  // counts down here.
  std::size_t buffered_ = 0;

  const Ref<GMainContext> context_;
  const Ref<GMainLoop> loop_;
  std::vector<std::unique_ptr<InferenceModel>> models_;

  // Guards what follows, up to the threads. Held for moments only, never while calling out, but
  // for counting, and libsoup's setting of a response.
  std::mutex mutex_;
  std::condition_variable wakeWorkers_;
  std::condition_variable allAnswered_;
  std::deque<Job> queue_;
  /** Workers without a job, from the first moment on. */
  std::size_t idle_ = 0;
  /** Paused messages whose answer is not written yet. */
  std::size_t unanswered_ = 0;
  bool stopping_ = false;

  std::thread network_;
  std::vector<std::thread> workers_;
};

Server::Server(const ModelFactory& factory, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(factory, options)) {}

Server::~Server() = default;

const std::string& Server::url() const {
  return impl_->url();
}

bool Server::stop(std::chrono::milliseconds patience) {
  return impl_->stop(patience);
}

}  // namespace elf

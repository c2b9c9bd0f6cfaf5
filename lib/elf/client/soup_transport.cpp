// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/client/soup_transport.h"

#include <libsoup/soup.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <map>
#include <set>
#include <utility>

#include "elf/avahi/server_browser.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/token_file.h"
#include "elf/client/soup_error.h"

namespace elf {

namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;
/** The priority of the thread's sources. */
constexpr int kPriority = G_PRIORITY_DEFAULT;
/** A connection ends after about this time without a packet from its peer although one is due. */
constexpr std::chrono::seconds kConfirmation{5};
constexpr int kMaxConnections = 4 * SoupTransport::kMaxConnectionsPerHost;

/**
 * Ends connections of `message` whose peer is gone. A firewall or a router may forget a connection
 * and drop its packets without a reply: a request on it would wait for minutes, or for ever.
 */
void noticeSilentLoss(SoupMessage* message) {
  g_signal_connect(
      message, "network-event",
      G_CALLBACK(+[](SoupMessage*, GSocketClientEvent event, GIOStream* stream, gpointer) {
        if (event != G_SOCKET_CLIENT_CONNECTED || !G_IS_SOCKET_CONNECTION(stream)) return;
        GSocket* const socket = g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream));
        const auto set = [socket](int option, auto time) {
          g_socket_set_option(socket, IPPROTO_TCP, option, static_cast<gint>(time.count()),
                              nullptr);
        };
        // The kernel of a busy or stopped server still confirms packets.
        set(TCP_USER_TIMEOUT, std::chrono::milliseconds(kConfirmation));
        set(TCP_KEEPIDLE, kConfirmation);
        set(TCP_KEEPINTVL, std::chrono::seconds(1));
        g_socket_set_keepalive(socket, TRUE);
      }),
      nullptr);
}

/** Turns `message`, whose URL has an address, into a request to the host `name`. */
void standFor(const std::string& name, SoupMessage* message) {
  GUri* uri = soup_message_get_uri(message);
  const bool secure = g_str_equal(g_uri_get_scheme(uri), "https");
  const int port = g_uri_get_port(uri), usual = secure ? 443 : 80;
  const std::string host = port < 0 || port == usual ? name : name + ":" + std::to_string(port);
  soup_message_headers_replace(soup_message_get_request_headers(message), "Host", host.c_str());
  if (!secure) return;
  // Otherwise GIO would compare the certificate with the address, and the server would not learn
  // the name.
  g_signal_connect_data(
      message, "network-event",
      G_CALLBACK(+[](SoupMessage*, GSocketClientEvent event, GIOStream* stream, gpointer expected) {
        if (event != G_SOCKET_CLIENT_TLS_HANDSHAKING || !G_IS_TLS_CLIENT_CONNECTION(stream)) return;
        const Ref<GSocketConnectable> identity(
            g_network_address_new(static_cast<char*>(expected), 0));
        g_tls_client_connection_set_server_identity(G_TLS_CLIENT_CONNECTION(stream),
                                                    identity.get());
      }),
      g_strdup(name.c_str()), [](gpointer copy, GClosure*) { g_free(copy); },
      static_cast<GConnectFlags>(0));
}

/** Reads the blocks in place, and holds them meanwhile. */
Ref<GInputStream> streamOf(const Blocks& blocks) {
  Ref<GInputStream> stream(g_memory_input_stream_new());
  for (const Block& block : blocks) {
    const Ref<GBytes> bytes(g_bytes_new_with_free_func(
        block->data(), block->size(), [](gpointer held) { delete static_cast<Block*>(held); },
        new Block(block)));
    g_memory_input_stream_add_bytes(G_MEMORY_INPUT_STREAM(stream.get()), bytes.get());
  }
  return stream;
}

std::chrono::seconds retryAfter(SoupMessageHeaders* headers) {
  constexpr guint64 kDay = 86400;
  const char* text = soup_message_headers_get_one(headers, "Retry-After");
  guint64 seconds = 0;
  if (!text) return {};
  if (g_ascii_string_to_unsigned(text, 10, 0, kDay, &seconds, nullptr))
    return std::chrono::seconds(seconds);
  const Ref<GDateTime> end(soup_date_time_new_from_http_string(text));
  const Ref<GDateTime> now(g_date_time_new_now_utc());
  if (!end) return {};
  const std::chrono::microseconds left(g_date_time_difference(end.get(), now.get()));
  return std::clamp(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds(0),
                    std::chrono::seconds(kDay));
}

/** The object that `load` makes of a file. `load` reports errors in a GError. */
template <typename T, std::invocable<GError**> Load>
Ref<T> loaded(const char* property, const std::string& file, Load&& load) {
  GError* error = nullptr;
  Ref<T> object(reinterpret_cast<T*>(load(&error)));
  if (error) throw Error(property, "cannot use '" + file + "': " + takeReason(error));
  return object;
}

}  // namespace

struct SoupTransport::Private {
  /** One request, from send() until its last callback of libsoup has run. */
  struct Exchange {
    Private* owner = nullptr;
    Handle handle = 0;
    HttpRequest request;
    /** Null once the caller no longer waits for the reply. */
    std::function<void(HttpReply)> done;
    Ref<SoupMessage> message;
    Ref<GCancellable> cancellable;
    /** Null until the headers arrive. */
    Ref<GInputStream> stream;
    HttpReply reply;
  };

  /** The session for one HttpRequest::host. */
  struct Session {
    Ref<SoupSession> soup;
    /** Connections that have carried a request. The server may close one before its next use. */
    std::set<guint64> connections;
  };

  struct LookUp {
    Private* owner = nullptr;
    Handle handle = 0;
    std::function<void(std::vector<std::string>)> done;
    Ref<GCancellable> cancellable;
  };

  Private(const std::string& threadName, const ClientSecurity& security) {
    load(security);
    thread = g_thread_new(
        threadName.c_str(),
        [](gpointer data) -> gpointer {
          static_cast<Private*>(data)->run();
          return nullptr;
        },
        this);
  }

  void load(const ClientSecurity& security) {
    if (!security.caFile.empty())
      authorities = loaded<GTlsDatabase>("ca-file", security.caFile, [&](GError** error) {
        // GIO wants an absolute path.
        const Ref<gchar> path(g_canonicalize_filename(security.caFile.c_str(), nullptr));
        return g_tls_file_database_new(path.get(), error);
      });
    const std::string& certificateFile = security.clientCertificate;
    if (certificateFile.empty() && !security.clientKey.empty())
      throw Error("client-key", "there is no client-certificate that it could belong to");
    const std::string& keyFile = security.clientKey.empty() ? certificateFile : security.clientKey;
    if (!certificateFile.empty())
      certificate = loaded<GTlsCertificate>("client-certificate",
                                            certificateFile + "' with the key in '" + keyFile,
                                            [&](GError** error) {
                                              return g_tls_certificate_new_from_files(
                                                  certificateFile.c_str(), keyFile.c_str(), error);
                                            });
    if (!security.tokenFile.empty())
      authorization = "Bearer " + readToken("token-file", security.tokenFile);
  }

  /** Runs `job` in the thread, in the order of the calls with that priority. */
  template <std::invocable Posted>
  void post(Posted job, int priority = kPriority) {
    elf::post(context.get(), std::move(job), priority);
  }

  // Everything below runs in the thread.

  void run() {
    g_main_context_push_thread_default(context.get());
    g_main_loop_run(loop.get());
    sessions.clear();
    // Runs the last sources of browsers and closed connections.
    while (browsing.use_count() > 1) g_main_context_iteration(context.get(), TRUE);
    while (g_main_context_iteration(context.get(), FALSE)) {
    }
    g_main_context_pop_thread_default(context.get());
  }

  // GObject 2.74 may wait for ever if the class of SoupSession, which holds a lock, needs a type
  // that another thread registers at that moment, as rtspsrc does when it connects.
  static void registerTypes() {
    for (const GType type : {G_TYPE_INET_SOCKET_ADDRESS, G_TYPE_SOCKET_CONNECTABLE,
                             G_TYPE_PROXY_RESOLVER, G_TYPE_TLS_DATABASE, G_TYPE_TLS_INTERACTION})
      g_type_ensure(type);
  }

  // libsoup keeps connections by the host in the URL, which may be an address of several names.
  Session& sessionFor(const std::string& host) {
    Session& session = sessions[host];
    if (session.soup) return session;
    registerTypes();
    session.soup.reset(soup_session_new_with_options(
        "max-conns", kMaxConnections, "max-conns-per-host", kMaxConnectionsPerHost, "timeout", 0,
        "proxy-resolver", nullptr, nullptr));
    soup_session_remove_feature_by_type(session.soup.get(), SOUP_TYPE_CONTENT_DECODER);
    if (authorities) soup_session_set_tls_database(session.soup.get(), authorities.get());
    return session;
  }

  void start(std::unique_ptr<Exchange> exchange) {
    if (stopping) return;
    Exchange* e = exchange.get();
    e->cancellable.reset(g_cancellable_new());
    exchanges[e->handle] = std::move(exchange);
    attempt(e);
  }

  void attempt(Exchange* e) {
    e->message.reset(soup_message_new(e->request.method.c_str(), e->request.url.c_str()));
    if (!e->message) {
      e->reply.error = "not a valid URL";
      return finish(e);
    }
    // Without the second flag libsoup opens a connection for each POST. Inferring twice does no
    // harm.
    soup_message_add_flags(
        e->message.get(),
        static_cast<SoupMessageFlags>(SOUP_MESSAGE_NO_REDIRECT | SOUP_MESSAGE_IDEMPOTENT));
    noticeSilentLoss(e->message.get());
    SoupMessageHeaders* headers = soup_message_get_request_headers(e->message.get());
    if (!e->request.host.empty()) standFor(e->request.host, e->message.get());
    for (const auto& [name, value] : e->request.headers)
      soup_message_headers_replace(headers, name.c_str(), value.c_str());
    if (!authorization.empty())
      soup_message_headers_replace(headers, "Authorization", authorization.c_str());
    if (certificate) soup_message_set_tls_client_certificate(e->message.get(), certificate.get());
    if (e->request.method == "POST")
      // A new stream for each attempt: the one before may have been read.
      soup_message_set_request_body(e->message.get(), e->request.contentType.c_str(),
                                    streamOf(e->request.body).get(),
                                    static_cast<gssize>(sizeOf(e->request.body)));
    soup_session_send_async(
        sessionFor(e->request.host).soup.get(), e->message.get(), kPriority, e->cancellable.get(),
        [](GObject*, GAsyncResult* result, gpointer data) {
          auto* self = static_cast<Exchange*>(data);
          guarded([&] { self->owner->onHeaders(self, result); });
        },
        e);
  }

  void onHeaders(Exchange* e, GAsyncResult* result) {
    GError* error = nullptr;
    Session& session = sessionFor(e->request.host);
    e->stream.reset(soup_session_send_finish(session.soup.get(), result, &error));
    const guint64 connection = soup_message_get_connection_id(e->message.get());
    const bool used = connection != 0 && !session.connections.insert(connection).second;
    // Ids rise: the lowest belongs to a connection that closed long ago.
    if (std::cmp_greater(session.connections.size(), kMaxConnections))
      session.connections.erase(session.connections.begin());
    if (error) {
      const bool again =
          used && e->done && soup_message_get_status(e->message.get()) == SOUP_STATUS_NONE;
      e->reply.error = reasonOf(error, e->message.get());
      g_error_free(error);
      if (!again) return finish(e);
      e->reply.error.clear();
      return attempt(e);
    }
    const char* length = soup_message_headers_get_one(
        soup_message_get_response_headers(e->message.get()), "Inference-Header-Content-Length");
    if (length) e->reply.jsonLength = length;
    e->reply.retryAfter = retryAfter(soup_message_get_response_headers(e->message.get()));
    if (!e->done) g_cancellable_cancel(e->cancellable.get());
    read(e);
  }

  void read(Exchange* e) {
    g_input_stream_read_bytes_async(
        e->stream.get(), kChunk, kPriority, e->cancellable.get(),
        [](GObject*, GAsyncResult* result, gpointer data) {
          auto* self = static_cast<Exchange*>(data);
          guarded([&] { self->owner->onChunk(self, result); });
        },
        e);
  }

  void onChunk(Exchange* e, GAsyncResult* result) {
    GError* error = nullptr;
    const Ref<GBytes> chunk(g_input_stream_read_bytes_finish(e->stream.get(), result, &error));
    if (!chunk) {
      e->reply.error = takeReason(error);
      return finish(e);
    }
    gsize size = 0;
    const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(chunk.get(), &size));
    const std::size_t longest = e->request.longestReply;
    const bool fits = e->reply.body.size() + size <= longest;
    if (fits) e->reply.body.insert(e->reply.body.end(), data, data + size);
    if (!fits) {
      e->reply.error = "the reply is larger than " + std::to_string(longest >> 10) + " KiB";
      // The rest is not read: cancelling closes the connection.
      g_cancellable_cancel(e->cancellable.get());
      return finish(e);
    }
    if (size > 0) return read(e);
    e->reply.status = static_cast<int>(soup_message_get_status(e->message.get()));
    finish(e);
  }

  /** Ends an exchange, which libsoup no longer refers to. */
  void finish(Exchange* e) {
    const std::unique_ptr<Exchange> owned = std::move(exchanges.extract(e->handle).mapped());
    if (e->reply.status == 0) e->reply.body.clear();
    if (e->done) guarded([&] { e->done(std::move(e->reply)); });
    if (stopping) quitIfIdle();
  }

  void startLookUp(Handle handle, const std::string& host,
                   std::function<void(std::vector<std::string>)> done) {
    if (stopping) return;
    auto lookUp = std::make_unique<LookUp>();
    lookUp->owner = this;
    lookUp->handle = handle;
    lookUp->done = std::move(done);
    lookUp->cancellable.reset(g_cancellable_new());
    LookUp* l = (lookUps[handle] = std::move(lookUp)).get();
    const Ref<GResolver> resolver(g_resolver_get_default());
    g_resolver_lookup_by_name_async(
        resolver.get(), host.c_str(), l->cancellable.get(),
        [](GObject* source, GAsyncResult* result, gpointer data) {
          auto* self = static_cast<LookUp*>(data);
          guarded([&] { self->owner->onAddresses(self, G_RESOLVER(source), result); });
        },
        l);
  }

  void onAddresses(LookUp* l, GResolver* resolver, GAsyncResult* result) {
    const std::unique_ptr<LookUp> owned = std::move(lookUps.extract(l->handle).mapped());
    GList* found = g_resolver_lookup_by_name_finish(resolver, result, nullptr);
    std::vector<std::string> addresses;
    for (const GList* each = found; each; each = each->next)
      addresses.push_back(
          takeText(g_inet_address_to_string(static_cast<GInetAddress*>(each->data))));
    g_resolver_free_addresses(found);
    if (l->done) guarded([&] { l->done(std::move(addresses)); });
    if (stopping) quitIfIdle();
  }

  void startTimer(Handle handle, Clock::time_point when, std::function<void()> call) {
    if (stopping) return;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(when - Clock::now()).count();
    timers[handle] = schedule(
        context.get(),
        g_timeout_source_new(static_cast<guint>(std::clamp<std::int64_t>(wait, 0, G_MAXINT))),
        [this, handle, action = std::move(call)] {
          timers.erase(handle);
          action();
        });
  }

  void startBrowser(Handle handle, std::function<void(Announced)> changed) {
    if (stopping) return;
    browsers[handle] = std::make_unique<ServerBrowser>(std::move(changed), browsing);
  }

  /**
   * The caller no longer waits for the reply. libsoup 3.4 to 3.6.5 may free a request twice that is
   * cancelled while steps of it are due (findings/README.md). Those steps have the priority of the
   * request, so a source of lower priority never runs between them.
   */
  void abandon(Exchange* e) {
    e->done = nullptr;
    if (e->stream) return g_cancellable_cancel(e->cancellable.get());
    post(
        [this, handle = e->handle] {
          const auto at = exchanges.find(handle);
          if (at != exchanges.end()) g_cancellable_cancel(at->second->cancellable.get());
        },
        kPriority + 1);
  }

  void cancelNow(Handle handle) {
    if (const auto timer = timers.find(handle); timer != timers.end()) {
      timers.erase(timer);
    } else if (const auto at = exchanges.find(handle); at != exchanges.end()) {
      abandon(at->second.get());
    } else if (browsers.erase(handle) > 0) {
      return;
    } else if (const auto name = lookUps.find(handle); name != lookUps.end()) {
      name->second->done = nullptr;
      g_cancellable_cancel(name->second->cancellable.get());
    }
  }

  void stopNow() {
    stopping = true;
    while (!timers.empty()) cancelNow(timers.begin()->first);
    browsers.clear();
    for (const auto& [handle, exchange] : exchanges) abandon(exchange.get());
    for (const auto& [handle, lookUp] : lookUps) {
      lookUp->done = nullptr;
      g_cancellable_cancel(lookUp->cancellable.get());
    }
    quitIfIdle();
  }

  void quitIfIdle() {
    if (exchanges.empty() && lookUps.empty()) g_main_loop_quit(loop.get());
  }

  const Ref<GMainContext> context{g_main_context_new()};
  const Ref<GMainLoop> loop{g_main_loop_new(context.get(), FALSE)};
  GThread* thread = nullptr;
  std::atomic<Handle> next{1};
  /** Null: the system's are used. */
  Ref<GTlsDatabase> authorities;
  /** Null: there is no certificate. */
  Ref<GTlsCertificate> certificate;
  /** The value of the header; empty: there is no token. */
  std::string authorization;

  // Only used in the thread.
  /** By HttpRequest::host. */
  std::map<std::string, Session> sessions;
  bool stopping = false;
  std::map<Handle, std::unique_ptr<Exchange>> exchanges;
  std::map<Handle, std::unique_ptr<LookUp>> lookUps;
  std::map<Handle, Ref<GSource>> timers;
  /** Also held by what browsers still have due. */
  std::shared_ptr<void> browsing = std::make_shared<int>();
  std::map<Handle, std::unique_ptr<ServerBrowser>> browsers;
};

SoupTransport::SoupTransport(const std::string& threadName, const ClientSecurity& security)
    : p_(std::make_unique<Private>(threadName, security)) {}

SoupTransport::~SoupTransport() {
  stop();
}

Transport::Handle SoupTransport::send(HttpRequest request, std::function<void(HttpReply)> done) {
  auto exchange = std::make_unique<Private::Exchange>();
  const Handle handle = p_->next++;
  exchange->owner = p_.get();
  exchange->handle = handle;
  exchange->done = std::move(done);
  exchange->request = std::move(request);
  p_->post([this, begun = std::move(exchange)]() mutable { p_->start(std::move(begun)); });
  return handle;
}

Transport::Handle SoupTransport::lookUp(const std::string& host,
                                        std::function<void(std::vector<std::string>)> done) {
  const Handle handle = p_->next++;
  p_->post([this, handle, host, done = std::move(done)] { p_->startLookUp(handle, host, done); });
  return handle;
}

Transport::Handle SoupTransport::browse(std::function<void(Announced)> changed) {
  const Handle handle = p_->next++;
  p_->post([this, handle, changed = std::move(changed)] { p_->startBrowser(handle, changed); });
  return handle;
}

Transport::Handle SoupTransport::at(Clock::time_point when, std::function<void()> call) {
  const Handle handle = p_->next++;
  p_->post([this, handle, when, call = std::move(call)] { p_->startTimer(handle, when, call); });
  return handle;
}

void SoupTransport::cancel(Handle handle) {
  p_->post([this, handle] { p_->cancelNow(handle); });
}

void SoupTransport::stop() {
  if (!p_->thread) return;
  p_->post([this] { p_->stopNow(); });
  g_thread_join(std::exchange(p_->thread, nullptr));
}

}  // namespace elf

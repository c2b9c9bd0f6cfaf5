// SPDX-License-Identifier: LGPL-2.1-or-later
// An HTTP server of files, with all that can be wrong with one.
#pragma once

#include <gio/gio.h>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace elf::testing {

/** Serves each connection in a thread of its own, and one request on it. */
class FileServer {
 public:
  struct Request {
    /** Such as "GET /net.onnx HTTP/1.1". */
    std::string line;
    /** By names in lower case. */
    std::map<std::string, std::string> headers;

    std::string header(const std::string& name) const {
      const auto found = headers.find(name);
      return found == headers.end() ? "" : found->second;
    }
  };
  struct Answer {
    /** Status line and headers, each with its end of line. Empty: there is no answer. */
    std::string head;
    /** It need not be as long as the head says. */
    std::string body;
    /** The connection stays open and silent behind it. */
    bool isHeld = false;
  };
  using Handler = std::function<Answer(const Request&)>;

  /**
   * `handler` runs in many threads. With a PEM file of certificate and key it speaks HTTPS, or one
   * of `protocols`: its request is the preface of HTTP/2 then.
   */
  explicit FileServer(Handler handler, const std::string& certificate = {},
                      std::vector<const char*> protocols = {})
      : handler_(std::move(handler)), protocols_(std::move(protocols)) {
    if (!protocols_.empty()) protocols_.push_back(nullptr);
    if (!certificate.empty())
      certificate_ = g_tls_certificate_new_from_file(certificate.c_str(), nullptr);
    port_ = listen();
    accepting_ = std::thread([this] { acceptAll(); });
  }
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;
  ~FileServer() {
    g_cancellable_cancel(stop_);
    accepting_.join();
    for (auto& [connection, thread] : serving_) {
      // Not by a cancellable: GIO's TLS loses memory then.
      g_socket_shutdown(g_socket_connection_get_socket(connection), TRUE, TRUE, nullptr);
      thread.join();
      g_object_unref(connection);
    }
    g_object_unref(listener_);
    g_object_unref(stop_);
    g_clear_object(&certificate_);
  }

  std::string url(const std::string& path = "") const {
    return (certificate_ ? "https" : "http") + std::string("://127.0.0.1:") +
           std::to_string(port_) + path;
  }

  /** All that came so far. */
  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  guint16 listen() {
    GInetAddress* loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    GSocketAddress* any = g_inet_socket_address_new(loopback, 0);
    GSocketAddress* bound = nullptr;
    g_socket_listener_add_address(listener_, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP,
                                  nullptr, &bound, nullptr);
    const guint16 port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    g_object_unref(bound);
    g_object_unref(any);
    g_object_unref(loopback);
    return port;
  }

  void acceptAll() {
    while (GSocketConnection* connection =
               g_socket_listener_accept(listener_, nullptr, stop_, nullptr))
      serving_.emplace_back(connection, [this, connection] { serve(G_IO_STREAM(connection)); });
  }

  void serve(GIOStream* plain) {
    GIOStream* stream =
        G_IO_STREAM(certificate_ ? g_tls_server_connection_new(plain, certificate_, nullptr)
                                 : static_cast<GIOStream*>(g_object_ref(plain)));
    if (!protocols_.empty())
      g_tls_connection_set_advertised_protocols(G_TLS_CONNECTION(stream), protocols_.data());
    const std::string head = readHead(g_io_stream_get_input_stream(stream));
    if (!head.empty()) {
      const Request request = parse(head);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const Answer answer = handler_(request);
      const std::string text = answer.head.empty() ? "" : answer.head + "\r\n" + answer.body;
      g_output_stream_write_all(g_io_stream_get_output_stream(stream), text.data(), text.size(),
                                nullptr, nullptr, nullptr);
      // Until the client leaves, or the server ends.
      char ignored = 0;
      while (answer.isHeld && g_input_stream_read(g_io_stream_get_input_stream(stream), &ignored, 1,
                                                  nullptr, nullptr) > 0) {
      }
    }
    g_io_stream_close(stream, nullptr, nullptr);
    g_object_unref(stream);
  }

  /** Up to the empty line; nothing where the client leaves before. */
  static std::string readHead(GInputStream* in) {
    std::string head;
    char c = 0;
    while (!head.ends_with("\r\n\r\n")) {
      if (g_input_stream_read(in, &c, 1, nullptr, nullptr) != 1) return {};
      head += c;
    }
    return head;
  }

  static Request parse(const std::string& head) {
    Request request;
    request.line = head.substr(0, head.find("\r\n"));
    for (std::size_t at = request.line.size() + 2, end = 0;
         (end = head.find("\r\n", at)) != head.npos && end > at; at = end + 2) {
      const std::string line = head.substr(at, end - at);
      const std::size_t colon = line.find(": ");
      std::string name = line.substr(0, colon);
      std::ranges::transform(name, name.begin(), g_ascii_tolower);
      request.headers[name] = line.substr(colon + 2);
    }
    return request;
  }

  const Handler handler_;
  std::vector<const char*> protocols_;
  GTlsCertificate* certificate_ = nullptr;
  GSocketListener* listener_ = g_socket_listener_new();
  GCancellable* stop_ = g_cancellable_new();
  guint16 port_ = 0;
  std::thread accepting_;
  std::vector<std::pair<GSocketConnection*, std::thread>> serving_;
  std::mutex mutex_;
  std::vector<Request> requests_;
};

/** A file as a good server has it: with its length, its tag, and any of its ends. */
struct HostedFile {
  std::string content;
  std::string etag = "\"one\"";

  FileServer::Answer operator()(const FileServer::Request& request) const {
    const std::string tag = etag.empty() ? "" : "ETag: " + etag + "\r\n";
    const std::string range = request.header("range");
    const bool isSame = request.header("if-range") == etag;
    if (!range.starts_with("bytes=") || !isSame) return whole(tag);
    const std::size_t begin = std::stoull(range.substr(6));
    const std::string total = "/" + std::to_string(content.size()) + "\r\n";
    if (begin >= content.size())
      return {"HTTP/1.1 416 Out\r\nContent-Length: 0\r\nContent-Range: bytes *" + total};
    return {"HTTP/1.1 206 Part\r\n" + tag + "Content-Length: " +
                std::to_string(content.size() - begin) + "\r\nContent-Range: bytes " +
                std::to_string(begin) + "-" + std::to_string(content.size() - 1) + total,
            content.substr(begin)};
  }

  /** The whole file, whatever was asked. */
  FileServer::Answer whole(const std::string& headers = {}) const {
    return {"HTTP/1.1 200 OK\r\n" + headers + "Content-Length: " + std::to_string(content.size()) +
                "\r\n",
            content};
  }

  /** The first bytes of it: then the connection is cut, or silent. */
  FileServer::Answer begun(const FileServer::Request& request, std::size_t bytes,
                           bool isHeld = false) const {
    FileServer::Answer answer = (*this)(request);
    answer.body.resize(bytes);
    answer.isHeld = isHeld;
    return answer;
  }
};

}  // namespace elf::testing

// SPDX-License-Identifier: LGPL-2.1-or-later
#include <libsoup/soup.h>

#include <array>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/network_address.h"
#include "elf/base/printable.h"
#include "elf/client/soup_error.h"
#include "elf/fetch/source.h"

namespace elf {

namespace {

constexpr int kMostRedirects = 5;
constexpr auto kUriFlags = static_cast<GUriFlags>(SOUP_HTTP_URI_FLAGS);

/** A URL without parts that may be secret. */
std::string shown(GUri* uri) {
  return printable(takeText(g_uri_to_string_partial(
      uri,
      static_cast<GUriHideFlags>(G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT))));
}

bool isHttps(GUri* uri) {
  return g_str_equal(g_uri_get_scheme(uri), "https");
}

/** Header of a response. Empty if it has none. */
std::string header(SoupMessage* message, const char* name) {
  const char* value =
      soup_message_headers_get_one(soup_message_get_response_headers(message), name);
  return value ? value : "";
}

/** Tells states of the file apart, byte by byte. Empty if the server offers nothing. */
std::string validatorOf(SoupMessage* message) {
  const std::string etag = header(message, "ETag");
  return etag.empty() || etag.starts_with("W/") ? header(message, "Last-Modified") : etag;
}

class UrlSource final : public Source {
 public:
  UrlSource(const std::string& url, PartFile& part, const SourceLimits& limits)
      : uri_(g_uri_parse(url.c_str(), kUriFlags, nullptr)),
        part_(part),
        limits_(limits),
        cancellable_(g_cancellable_new()),
        onStop_(limits.stop, [this] { g_cancellable_cancel(cancellable_.get()); }) {
    if (!uri_)
      throw Error("'" + printable(url.substr(0, url.find("://"))) + "://...'", "not a URL");
    if (!isHttpsOrThisMachine(url))
      throw Error(shown(uri_.get()), "not an https:// address (http:// is for this machine alone)");
    const std::string full = takeText(g_uri_to_string(uri_.get()));
    tagOfUrl_ = takeText(g_compute_checksum_for_string(G_CHECKSUM_SHA256, full.data(),
                                                       static_cast<gssize>(full.size()))) +
                '\n';
    if (!limits.caFile.empty()) {
      GError* error = nullptr;
      authorities_.reset(g_tls_file_database_new(limits.caFile.c_str(), &error));
      if (error) throw Error(limits.caFile, takeReason(error));
    }
  }

  ~UrlSource() override { close(); }

  std::string name() const override { return printable(g_uri_get_host(uri_.get())); }

  std::optional<std::uint64_t> open() override {
    const bool goesOn = part_.size() > 0 && part_.tag().starts_with(tagOfUrl_);
    if (!goesOn || !ask(part_.size())) ask(0);
    return total_;
  }

  std::uint64_t offset() const override { return begin_; }

  void close() override {
    stream_.reset();
    message_.reset();
    // An abandoned HTTP/2 connection ends in the context, and its session must still be there.
    while (g_main_context_iteration(g_main_context_get_thread_default(), FALSE)) {
    }
    session_.reset();
  }

  void receive(const OnBytes& onBytes) override {
    if (!message_) open();
    if (isAllThere_) return;
    if (begin_ == 0) {
      const std::string validator = validatorOf(message_.get());
      part_.restart(validator.empty() ? "" : tagOfUrl_ + validator);
    }
    std::array<char, 1 << 16> block;
    for (;;) {
      GError* error = nullptr;
      const gssize size = g_input_stream_read(stream_.get(), block.data(), block.size(),
                                              cancellable_.get(), &error);
      // Missing bytes are reported below.
      if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT)) g_clear_error(&error);
      if (error) fail(takeReason(error));
      if (size <= 0) break;
      if (part_.size() + static_cast<std::uint64_t>(size) > total_.value_or(limits_.longest)) {
        part_.discard();
        fail("sends more than " + formatBytes(total_.value_or(limits_.longest)));
      }
      part_.append(block.data(), static_cast<std::size_t>(size));
      onBytes();
    }
    if (total_ && part_.size() < *total_)
      fail("the connection was cut after " + formatBytes(part_.size()) + " of " +
           formatBytes(*total_));
    close();
  }

  bool isWhole() const override { return total_ || hasEnd_; }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(shown(uri_.get()), why + part_.remains());
  }

  std::string takeReason(GError* error) const {
    const Ref<GError> owned(error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
      return "nothing came for " + std::to_string(limits_.patience.count()) + " s";
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) return "was interrupted";
    return message_ ? reasonOf(error, message_.get()) : error->message;
  }

  /** Requests the bytes from `begin` on. False if the whole file must be requested instead. */
  bool ask(std::uint64_t begin) {
    begin_ = begin;
    isAllThere_ = false;
    total_.reset();
    Ref<GUri> at(g_uri_ref(uri_.get()));
    for (int redirects = 0;; ++redirects) {
      send(at.get(), begin);
      const guint status = soup_message_get_status(message_.get());
      if (!SOUP_STATUS_IS_REDIRECTION(status)) break;
      if (redirects == kMostRedirects)
        fail("is redirected more than " + std::to_string(kMostRedirects) + " times");
      at = redirection(at.get());
    }
    hasEnd_ = soup_message_headers_get_encoding(
                  soup_message_get_response_headers(message_.get())) != SOUP_ENCODING_EOF;
    return begin > 0 ? isRest(begin) : isWholeFile();
  }

  void send(GUri* uri, std::uint64_t begin) {
    close();
    session_.reset(soup_session_new_with_options("timeout",
                                                 static_cast<guint>(limits_.patience.count()),
                                                 "user-agent", "elf-server/" ELF_VERSION, nullptr));
    soup_session_remove_feature_by_type(session_.get(), SOUP_TYPE_CONTENT_DECODER);
    // A proxy can't reach this machine's loopback addresses.
    if (!isHttps(uri)) soup_session_set_proxy_resolver(session_.get(), nullptr);
    if (authorities_) soup_session_set_tls_database(session_.get(), authorities_.get());
    message_.reset(soup_message_new_from_uri("GET", uri));
    soup_message_add_flags(message_.get(), SOUP_MESSAGE_NO_REDIRECT);
    SoupMessageHeaders* headers = soup_message_get_request_headers(message_.get());
    soup_message_headers_replace(headers, "Accept-Encoding", "identity");
    if (begin > 0) {
      soup_message_headers_set_range(headers, static_cast<goffset>(begin), -1);
      soup_message_headers_replace(headers, "If-Range",
                                   part_.tag().substr(tagOfUrl_.size()).c_str());
    }
    GError* error = nullptr;
    stream_.reset(soup_session_send(session_.get(), message_.get(), cancellable_.get(), &error));
    if (error) fail(takeReason(error));
  }

  Ref<GUri> redirection(GUri* from) const {
    const std::string location = header(message_.get(), "Location");
    Ref<GUri> to(g_uri_parse_relative(from, location.c_str(), kUriFlags, nullptr));
    if (location.empty() || !to) fail("is redirected to nowhere");
    // A fetch that began with TLS must continue with it.
    if (!isHttpsOrThisMachine(takeText(g_uri_to_string(to.get()))) ||
        (isHttps(from) && !isHttps(to.get())))
      fail("is redirected to " + shown(to.get()) + ", which is not an https:// address");
    return to;
  }

  /** Reads the head of an answer to a request for the bytes from `begin` on. */
  bool isRest(std::uint64_t begin) {
    const guint status = soup_message_get_status(message_.get());
    SoupMessageHeaders* headers = soup_message_get_response_headers(message_.get());
    goffset first = 0, last = 0, total = -1;
    switch (status) {
      case SOUP_STATUS_OK:
        // The file has changed, or the server does not support ranges.
        begin_ = 0;
        return isWholeFile();
      case SOUP_STATUS_PARTIAL_CONTENT:
        if (!soup_message_headers_get_content_range(headers, &first, &last, &total) ||
            std::cmp_not_equal(first, begin) ||
            part_.tag() != tagOfUrl_ + validatorOf(message_.get()))
          return false;
        if (total >= 0) setTotal(static_cast<std::uint64_t>(total));
        return true;
      case SOUP_STATUS_REQUESTED_RANGE_NOT_SATISFIABLE:
        if (header(message_.get(), "Content-Range") != "bytes */" + std::to_string(begin))
          return false;
        isAllThere_ = true;
        total_ = begin;
        return true;
      default:
        fail(answered(status));
    }
  }

  bool isWholeFile() {
    const guint status = soup_message_get_status(message_.get());
    if (status != SOUP_STATUS_OK) fail(answered(status));
    SoupMessageHeaders* headers = soup_message_get_response_headers(message_.get());
    const char* type = soup_message_headers_get_content_type(headers, nullptr);
    if (type && g_ascii_strcasecmp(type, "text/html") == 0)
      fail("is a web page, not the file itself");
    const std::string coding = header(message_.get(), "Content-Encoding");
    if (!coding.empty() && coding != "identity") fail("comes encoded as " + printable(coding));
    if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH)
      setTotal(static_cast<std::uint64_t>(soup_message_headers_get_content_length(headers)));
    return true;
  }

  static std::string answered(guint status) {
    return "was answered with " + std::to_string(status) + " (" + soup_status_get_phrase(status) +
           ")";
  }

  void setTotal(std::uint64_t total) {
    if (total > limits_.longest)
      fail("is of " + formatBytes(total) + ", more than " + formatBytes(limits_.longest));
    total_ = total;
  }

  const Ref<GUri> uri_;
  PartFile& part_;
  const SourceLimits limits_;
  Ref<GTlsDatabase> authorities_;
  /** The beginning of the tags of this URL's bytes. The validator follows. Reveals no secret. */
  std::string tagOfUrl_;
  Ref<GCancellable> cancellable_;
  std::stop_callback<std::function<void()>> onStop_;

  // Of the last request.
  Ref<SoupSession> session_;
  Ref<SoupMessage> message_;
  Ref<GInputStream> stream_;
  /** The place in the file where the body begins. */
  std::uint64_t begin_ = 0;
  std::optional<std::uint64_t> total_;
  bool hasEnd_ = true;
  /** The part held the whole file already. */
  bool isAllThere_ = false;
};

}  // namespace

std::unique_ptr<Source> urlSource(const std::string& url, PartFile& part,
                                  const SourceLimits& limits) {
  return std::make_unique<UrlSource>(url, part, limits);
}

}  // namespace elf

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/server_tls.h"

#include <sys/socket.h>

#include <cerrno>
#include <future>
#include <string>
#include <utility>

#include "elf/base/error.h"

namespace elf {

namespace {

/** The two ends of a connection inside this process. */
std::pair<Ref<GIOStream>, Ref<GIOStream>> makePair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw Error("socketpair", g_strerror(errno));
  const auto streamOf = [](int end) {
    const Ref<GSocket> socket(g_socket_new_from_fd(end, nullptr));
    return Ref<GIOStream>(G_IO_STREAM(g_socket_connection_factory_create_connection(socket.get())));
  };
  return {streamOf(ends[0]), streamOf(ends[1])};
}

/**
 * Shakes hands with itself: GIO reads a key that does not belong to its certificate, and refuses
 * each connection later. Returns the reason, or an empty text.
 */
std::string flawOf(GTlsCertificate* certificate) {
  const auto [mine, theirs] = makePair();
  GError* error = nullptr;
  const Ref<GIOStream> server(g_tls_server_connection_new(mine.get(), certificate, &error));
  if (!server) return takeReason(error);
  const Ref<GIOStream> client(g_tls_client_connection_new(theirs.get(), nullptr, &error));
  if (!client) return takeReason(error);
  const auto accept = [](GTlsConnection*, GTlsCertificate*, GTlsCertificateFlags,
                         gpointer) -> gboolean { return TRUE; };
  g_signal_connect(client.get(), "accept-certificate", G_CALLBACK(+accept), nullptr);
  // The end that fails hangs up on the other one.
  const auto shakeHands = [](GIOStream* end, GIOStream* beneath) -> std::string {
    GError* failed = nullptr;
    if (g_tls_connection_handshake(G_TLS_CONNECTION(end), nullptr, &failed)) return {};
    g_io_stream_close(beneath, nullptr, nullptr);
    return takeReason(failed);
  };
  auto reply = std::async(std::launch::async, shakeHands, client.get(), theirs.get());
  const std::string flaw = shakeHands(server.get(), mine.get());
  const std::string seen = reply.get();
  return seen.empty() ? flaw : seen;
}

}  // namespace

ServerTls::ServerTls(const ServerOptions& options) {
  for (const std::string& file : {options.tlsKey, options.clientCa})
    if (options.tlsCert.empty() && !file.empty())
      throw Error(file, "is nothing without a certificate of this server");
  if (options.tlsCert.empty()) return;
  GError* error = nullptr;
  certificate.reset(
      g_tls_certificate_new_from_files(options.tlsCert.c_str(), options.tlsKey.c_str(), &error));
  const std::string flaw = certificate ? flawOf(certificate.get()) : takeReason(error);
  if (!flaw.empty()) throw Error(options.tlsCert, "with key " + options.tlsKey + ": " + flaw);
  if (options.clientCa.empty()) return;
  const Ref<gchar> path(g_canonicalize_filename(options.clientCa.c_str(), nullptr));
  clients.reset(g_tls_file_database_new(path.get(), &error));
  if (!clients) throw Error(options.clientCa, takeReason(error));
}

void ServerTls::apply(SoupServer* server) const {
  soup_server_set_tls_certificate(server, certificate.get());
  soup_server_set_tls_database(server, clients.get());
  soup_server_set_tls_auth_mode(
      server, clients ? G_TLS_AUTHENTICATION_REQUIRED : G_TLS_AUTHENTICATION_NONE);
}

}  // namespace elf

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "programs/service/service_manager.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "elf/base/error.h"

namespace elf::program {

void notifyManager(const std::string& state) {
  sd_notify(0, state.c_str());
}

std::chrono::microseconds watchdogInterval() {
  std::uint64_t limit = 0;
  // As sd_watchdog_enabled(3) recommends.
  return std::chrono::microseconds(sd_watchdog_enabled(0, &limit) > 0 ? limit / 2 : 0);
}

int takeHandedSocket() {
  char** found = nullptr;
  // Hides them from processes that this one starts.
  const int count = sd_listen_fds_with_names(1, &found);
  if (count < 0) throw Error("LISTEN_FDS", std::strerror(-count));
  std::string names;
  for (int i = 0; i < count; ++i) {
    names += (i ? ", " : "") + std::string(found[i]);
    std::free(found[i]);
  }
  std::free(found);
  if (count == 0) return -1;
  if (count > 1)
    throw Error("LISTEN_FDS", names + ": more than one socket (elf-server takes one ListenStream)");
  if (sd_is_socket_inet(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0)
    throw Error("LISTEN_FDS", names + ": not a listening TCP socket (ListenStream, Accept=no)");
  return SD_LISTEN_FDS_START;
}

bool logsToJournal() {
  // As systemd.exec(5) says.
  const char* const journal = std::getenv("JOURNAL_STREAM");
  struct stat error = {};
  return journal && fstat(STDERR_FILENO, &error) == 0 &&
         std::to_string(error.st_dev) + ":" + std::to_string(error.st_ino) == journal;
}

void writeToJournal(int priority, const std::string& message,
                    const std::vector<std::string>& fields) {
  std::vector<std::string> all{"MESSAGE=" + message, "PRIORITY=" + std::to_string(priority)};
  all.insert(all.end(), fields.begin(), fields.end());
  std::vector<iovec> parts;
  for (std::string& each : all) parts.push_back({each.data(), each.size()});
  sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace elf::program

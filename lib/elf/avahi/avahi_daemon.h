// SPDX-License-Identifier: LGPL-2.1-or-later
// The Avahi daemon, by its interface on the system bus. Not installed.
#pragma once

#include <gio/gio.h>

#include <functional>
#include <memory>
#include <string>

namespace elf {

/**
 * Its own connection to the system bus. Waits for a bus or a daemon that is not there (yet), and
 * for one that goes away. Belongs to the thread that makes it, and calls back from the
 * thread-default main context of that moment. Nothing blocks, except callAndWait().
 */
class AvahiDaemon {
 public:
  static constexpr int kRetrySeconds = 5;

  struct Listener {
    /** It runs, and knows its host name. */
    std::function<void()> up;
    /** It does not, and has forgotten all objects. `why` is a sentence without a subject. */
    std::function<void(const std::string& why)> down;
    /** A signal of one of its objects that this connection made. */
    std::function<void(const std::string& path, const std::string& signal, GVariant* parameters)>
        signal;
  };
  /** One of both is null. */
  using Done = std::function<void(GVariant* reply, const GError* error)>;

  /**
   * Each callback of GIO that is due holds `held`, also after the destructor: the context must run
   * until nothing else holds it.
   */
  explicit AvahiDaemon(Listener listener, std::shared_ptr<void> held = nullptr);
  AvahiDaemon(const AvahiDaemon&) = delete;
  AvahiDaemon& operator=(const AvahiDaemon&) = delete;
  /** No callback is called any more. The daemon forgets the objects. */
  ~AvahiDaemon();

  /** Calls a method of `org.freedesktop.Avahi.INTERFACE`. `reply` is its type. Not while down. */
  void call(const std::string& path, const std::string& interface, const char* method,
            GVariant* arguments, const char* reply, Done done = {});
  /** Waits for the reply for at most a second. */
  void callAndWait(const std::string& path, const std::string& interface, const char* method);

 private:
  struct Private;
  std::shared_ptr<Private> p_;
};

}  // namespace elf

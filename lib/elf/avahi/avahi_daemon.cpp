// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/avahi/avahi_daemon.h"

#include <string_view>
#include <utility>

#include "elf/avahi/service.h"
#include "elf/base/glib.h"
#include "elf/base/printable.h"

namespace elf {

namespace {

constexpr const char* kName = "org.freedesktop.Avahi";
constexpr const char* kServer = "Server";
constexpr const char* kBus = "org.freedesktop.DBus";
constexpr int kRunning = 2;  // AVAHI_SERVER_RUNNING
constexpr int kPatience = 1000;

/** The full name of an interface. GCC takes a sum of strings here for an overflow (-Warray-bounds).
 */
std::string ofAvahi(std::string_view interface) {
  std::string name = kName;
  name += '.';
  name += interface;
  return name;
}

std::string noBus(const std::string& why) {
  return "cannot reach the system bus: " + printable(why);
}

}  // namespace

std::string avahi::reasonOf(const GError* error) {
  const Ref<GError> copy(g_error_copy(error));
  g_dbus_error_strip_remote_error(copy.get());
  return printable(copy->message);
}

// Callbacks of GIO hold a weak pointer to this.
struct AvahiDaemon::Private : std::enable_shared_from_this<Private> {
  /** User data of a callback. */
  struct Due {
    std::weak_ptr<Private> self;
    std::shared_ptr<void> held;
    Done done = {};
  };

  Private(Listener itsListener, std::shared_ptr<void> itsHeld)
      : listener(std::move(itsListener)), held(std::move(itsHeld)) {}

  Due* due(Done done = {}) { return new Due{weak_from_this(), held, std::move(done)}; }

  void connect() {
    GError* error = nullptr;
    const Ref<gchar> address(
        g_dbus_address_get_for_bus_sync(G_BUS_TYPE_SYSTEM, cancellable.get(), &error));
    if (!address) return setDown(noBus(takeReason(error)));
    // Not g_bus_get(): that connection belongs to the application, and may end it.
    g_dbus_connection_new_for_address(
        address.get(),
        static_cast<GDBusConnectionFlags>(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION),
        nullptr, cancellable.get(),
        [](GObject*, GAsyncResult* result, gpointer data) {
          const std::unique_ptr<Due> due(static_cast<Due*>(data));
          GError* failure = nullptr;
          Ref<GDBusConnection> made(g_dbus_connection_new_for_address_finish(result, &failure));
          const std::string why = failure ? takeReason(failure) : "";
          const auto self = due->self.lock();
          if (!self) return close(made, due->held);
          guarded([&] { made ? self->watch(std::move(made)) : self->setDown(noBus(why)); });
        },
        due());
  }

  static void close(const Ref<GDBusConnection>& connection, const std::shared_ptr<void>& held) {
    if (!connection) return;
    g_dbus_connection_close(
        connection.get(), nullptr,
        [](GObject* source, GAsyncResult* result, gpointer data) {
          const std::unique_ptr<Due> due(static_cast<Due*>(data));
          g_dbus_connection_close_finish(G_DBUS_CONNECTION(source), result, nullptr);
        },
        new Due{{}, held});
  }

  void watch(Ref<GDBusConnection> made) {
    connection = std::move(made);
    g_signal_connect_data(
        connection.get(), "closed",
        G_CALLBACK(+[](GDBusConnection*, gboolean, GError*, gpointer data) {
          if (const auto self = static_cast<Due*>(data)->self.lock())
            guarded([&] { self->onClosed(); });
        }),
        due(), [](gpointer data, GClosure*) { delete static_cast<Due*>(data); },
        static_cast<GConnectFlags>(0));
    signals = subscribe(kName, nullptr, nullptr);
    owners = subscribe(kBus, "NameOwnerChanged", kName);
    askState();
  }

  guint subscribe(const char* sender, const char* signal, const char* argument) {
    return g_dbus_connection_signal_subscribe(
        connection.get(), sender, nullptr, signal, nullptr, argument, G_DBUS_SIGNAL_FLAGS_NONE,
        [](GDBusConnection*, const gchar*, const gchar* path, const gchar* interface,
           const gchar* name, GVariant* parameters, gpointer data) {
          if (const auto self = static_cast<Due*>(data)->self.lock())
            guarded([&] { self->onSignal(path, interface, name, parameters); });
        },
        due(), [](gpointer data) { delete static_cast<Due*>(data); });
  }

  void onSignal(const std::string& path, const std::string& interface, const std::string& name,
                GVariant* parameters) {
    if (interface == kBus) {
      const char* owner = nullptr;
      g_variant_get_child(parameters, 2, "&s", &owner);
      *owner ? askState() : setDown("the Avahi daemon does not run");
    } else if (interface == ofAvahi(kServer)) {
      gint32 state = 0;
      if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(is)"))) return;
      g_variant_get_child(parameters, 0, "i", &state);
      setState(state);
    } else if (isUp) {
      listener.signal(path, name, parameters);
    }
  }

  void askState() {
    call("/", kServer, "GetState", nullptr, "(i)", [this](GVariant* reply, const GError* error) {
      gint32 state = 0;
      if (error) return setDown(avahi::reasonOf(error));
      g_variant_get(reply, "(i)", &state);
      setState(state);
    });
  }

  void setState(int state) {
    if (state == kRunning && !std::exchange(isUp, true)) listener.up();
    if (state != kRunning && isUp) setDown("Avahi looks for another host name");
  }

  void setDown(const std::string& why) {
    isUp = false;
    if (!connection)
      retry = schedule(context.get(), g_timeout_source_new_seconds(kRetrySeconds),
                       [this] { connect(); });
    listener.down(why);
  }

  void onClosed() {
    drop();
    setDown("the system bus has gone");
  }

  void drop() {
    if (!connection) return;
    g_signal_handlers_disconnect_matched(connection.get(), G_SIGNAL_MATCH_ID,
                                         g_signal_lookup("closed", G_TYPE_DBUS_CONNECTION), 0,
                                         nullptr, nullptr, nullptr);
    g_dbus_connection_signal_unsubscribe(connection.get(), signals);
    g_dbus_connection_signal_unsubscribe(connection.get(), owners);
    close(std::exchange(connection, nullptr), held);
  }

  void call(const std::string& path, const std::string& interface, const char* method,
            GVariant* arguments, const char* reply, Done done) {
    g_dbus_connection_call(
        connection.get(), kName, path.c_str(), ofAvahi(interface).c_str(), method, arguments,
        G_VARIANT_TYPE(reply), G_DBUS_CALL_FLAGS_NONE, -1, cancellable.get(),
        [](GObject* source, GAsyncResult* result, gpointer data) {
          const std::unique_ptr<Due> due(static_cast<Due*>(data));
          GError* failure = nullptr;
          const Ref<GVariant> replied(
              g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &failure));
          const Ref<GError> error(failure);
          const auto self = due->self.lock();
          if (self && due->done && self->connection.get() == G_DBUS_CONNECTION(source))
            guarded([&] { due->done(replied.get(), error.get()); });
        },
        due(std::move(done)));
  }

  const Listener listener;
  const std::shared_ptr<void> held;
  const Ref<GMainContext> context{g_main_context_ref_thread_default()};
  const Ref<GCancellable> cancellable{g_cancellable_new()};
  /** Null: there is none. */
  Ref<GDBusConnection> connection;
  guint signals = 0;
  guint owners = 0;
  bool isUp = false;
  Ref<GSource> retry;
};

AvahiDaemon::AvahiDaemon(Listener listener, std::shared_ptr<void> held)
    : p_(std::make_shared<Private>(std::move(listener), std::move(held))) {
  post(p_->context.get(), [weak = p_->weak_from_this(), kept = p_->held] {
    if (const auto self = weak.lock()) self->connect();
  });
}

AvahiDaemon::~AvahiDaemon() {
  g_cancellable_cancel(p_->cancellable.get());
  p_->drop();
}

void AvahiDaemon::call(const std::string& path, const std::string& interface, const char* method,
                       GVariant* arguments, const char* reply, Done done) {
  p_->call(path, interface, method, arguments, reply, std::move(done));
}

void AvahiDaemon::callAndWait(const std::string& path, const std::string& interface,
                              const char* method) {
  if (!p_->connection) return;
  const Ref<GVariant> reply(g_dbus_connection_call_sync(
      p_->connection.get(), kName, path.c_str(), ofAvahi(interface).c_str(), method, nullptr,
      nullptr, G_DBUS_CALL_FLAGS_NONE, kPatience, nullptr, nullptr));
}

}  // namespace elf

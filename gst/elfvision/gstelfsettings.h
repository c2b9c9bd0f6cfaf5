// SPDX-License-Identifier: LGPL-2.1-or-later
// An element's settings, and the table that maps its properties to them. Not installed.
#pragma once

#include <gst/gst.h>

#include <span>
#include <string>
#include <utility>
#include <variant>

#include "elf/base/choice.h"
#include "elf/base/mutex.h"
#include "gst/elfvision/gstelfboundary.h"

namespace elf::gst {

/** The enum type `name`: value i is choices[i]. Registered on the first call. */
GType choiceType(const char* name, std::span<const Choice> choices);

/** For the property `stats`: adds counts, given as pairs of a field's name and a number. */
inline void addCounts(GstStructure*) {}
template <typename Count, typename... More>
void addCounts(GstStructure* stats, const char* field, Count count, const More&... more) {
  gst_structure_set(stats, field, G_TYPE_UINT64, static_cast<guint64>(count), nullptr);
  addCounts(stats, more...);
}

/** Where a property lies in an element's struct Settings: ELF_SETTING(paint.boxes). */
#define ELF_SETTING(path)     \
  [](Settings & s) -> auto& { \
    return s.path;            \
  }

/**
 * The settings of an element, behind their own lock. settingsMutex_ is held briefly and is the last
 * in the lock order. `Element`, which derives from this, names its properties in a table:
 *
 *     static std::span<const Property> properties();
 *
 * installProperties() makes the GObject properties from it. The defaults are the values in a new
 * Settings.
 */
template <typename Element, typename Settings>
class WithSettings {
 public:
  /** Flags: the property may be set in NULL and READY, always, or never. */
  static constexpr auto kReady = static_cast<GParamFlags>(
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
  static constexpr auto kPlaying = static_cast<GParamFlags>(
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
  static constexpr auto kReadOnly =
      static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  struct Property;
  template <typename T>
  using Member = T& (*)(Settings&);

  /** A type for which GLib has its own getter and setter. */
  template <typename T, auto getter, auto setter>
  struct Value {
    Member<T> member;

    void set(Settings& s, const GValue* value) const { member(s) = getter(value); }
    void get(Settings& s, GValue* value) const { setter(value, member(s)); }
  };

  struct Boolean : Value<bool, g_value_get_boolean, g_value_set_boolean> {
    GParamSpec* spec(const Property& p, Settings& initial) const {
      return g_param_spec_boolean(p.name, p.nick, p.blurb, this->member(initial), p.flags);
    }
  };

  struct Int : Value<int, g_value_get_int, g_value_set_int> {
    int least, most;

    GParamSpec* spec(const Property& p, Settings& initial) const {
      return g_param_spec_int(p.name, p.nick, p.blurb, least, most, this->member(initial), p.flags);
    }
  };

  struct Double : Value<double, g_value_get_double, g_value_set_double> {
    double least, most;

    GParamSpec* spec(const Property& p, Settings& initial) const {
      return g_param_spec_double(p.name, p.nick, p.blurb, least, most, this->member(initial),
                                 p.flags);
    }
  };

  /** The index of one of the choices. */
  struct Enum : Value<int, g_value_get_enum, g_value_set_enum> {
    const char* type;
    std::span<const Choice> (*choices)();

    GParamSpec* spec(const Property& p, Settings& initial) const {
      return g_param_spec_enum(p.name, p.nick, p.blurb, choiceType(type, choices()),
                               this->member(initial), p.flags);
    }
  };

  /** Null sets it to the empty string. */
  struct String {
    Member<std::string> member;

    GParamSpec* spec(const Property& p, Settings& initial) const {
      return g_param_spec_string(p.name, p.nick, p.blurb, member(initial).c_str(), p.flags);
    }
    void set(Settings& s, const GValue* value) const {
      const gchar* text = g_value_get_string(value);
      member(s) = text ? text : "";
    }
    void get(Settings& s, GValue* value) const { g_value_set_string(value, member(s).c_str()); }
  };

  /** Null if empty, which is the default. */
  struct OptionalString : String {
    /** Converts a text to the one that is stored. Unset: stores the text itself. */
    std::string (*parse)(const std::string&) = nullptr;

    GParamSpec* spec(const Property& p, Settings&) const {
      return g_param_spec_string(p.name, p.nick, p.blurb, nullptr, p.flags);
    }
    void set(Settings& s, const GValue* value) const {
      String::set(s, value);
      if (parse) this->member(s) = parse(this->member(s));
    }
    void get(Settings& s, GValue* value) const {
      if (!this->member(s).empty()) String::get(s, value);
    }
  };

  /** A value that a function of the element makes on each read. */
  struct Statistics {
    GstStructure* (Element::*make)();

    GParamSpec* spec(const Property& p, Settings&) const {
      return g_param_spec_boxed(p.name, p.nick, p.blurb, GST_TYPE_STRUCTURE, p.flags);
    }
    void set(Settings&, const GValue*) const {}  // GObject refuses to set it
  };

  struct Property {
    const char* name;
    const char* nick;
    GParamFlags flags;
    /** The type, the range and the place in Settings. */
    std::variant<Boolean, Int, Double, Enum, String, OptionalString, Statistics> value;
    const char* blurb;
    /** Runs after the property was set, with no lock held. */
    void (Element::*changed)() = nullptr;
  };

  Settings settings() const {
    const MutexLock lock(settingsMutex_);
    return settings_;
  }
  template <typename Change>
  void change(Change&& apply) {
    const MutexLock lock(settingsMutex_);
    apply(settings_);
  }

 private:
  mutable Mutex settingsMutex_;
  Settings settings_ ELF_GUARDED_BY(settingsMutex_);
};

/**
 * For class_init: installs the properties of `Element` and their getter and setter, behind the
 * error boundary. `element` is the instance's pointer to its Element. Property i of the table has
 * the id i + 1.
 */
template <typename Instance, typename Element, Element* Instance::*element>
void installProperties(GObjectClass* klass) {
  klass->set_property = [](GObject* object, guint id, const GValue* value, GParamSpec*) {
    guarded(GST_ELEMENT(object), [&] {
      Element& owner = *(reinterpret_cast<Instance*>(object)->*element);
      const auto& property = Element::properties()[id - 1];
      owner.change([&](auto& settings) {
        std::visit([&](const auto& kind) { kind.set(settings, value); }, property.value);
      });
      if (property.changed) (owner.*property.changed)();
    });
  };
  klass->get_property = [](GObject* object, guint id, GValue* value, GParamSpec*) {
    guarded(GST_ELEMENT(object), [&] {
      Element& owner = *(reinterpret_cast<Instance*>(object)->*element);
      auto settings = owner.settings();
      std::visit(
          [&](const auto& kind) {
            if constexpr (requires { kind.get(settings, value); })
              kind.get(settings, value);
            else
              g_value_take_boxed(value, (owner.*kind.make)());
          },
          Element::properties()[id - 1].value);
    });
  };
  guint id = 0;
  decltype(std::declval<Element&>().settings()) initial;
  for (const auto& property : Element::properties())
    g_object_class_install_property(
        klass, ++id,
        std::visit([&](const auto& kind) { return kind.spec(property, initial); }, property.value));
}

}  // namespace elf::gst

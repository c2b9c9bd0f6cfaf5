// SPDX-License-Identifier: LGPL-2.1-or-later
// An element's properties as one table over a struct of settings. Not installed.
#pragma once

#include <gst/gst.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gst/elfvision/gstelfboundary.h"

namespace elf::gst {

/**
 * The settings of an element, behind a lock that is held for moments and comes after no other.
 * set_property and get_property, which are made of the table, are the only ones who write them.
 */
template <typename Settings>
class SettingsHolder {
 public:
  Settings settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  template <typename Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex_);
    apply(settings_);
  }

 private:
  mutable std::mutex mutex_;
  Settings settings_;
};

enum class Mutable : int { Ready = GST_PARAM_MUTABLE_READY, Playing = GST_PARAM_MUTABLE_PLAYING };

/** One row for each property; a row names the member of Settings that it sets. */
template <typename Settings>
class PropertyTable {
 public:
  template <typename T>
  using Member = T& (*)(Settings&);

  PropertyTable& flag(const char* name, const char* nick, const char* blurb, Mutable when,
                      Member<bool> member) {
    return add(
        [=](Settings& initial) {
          return g_param_spec_boolean(name, nick, blurb, member(initial), flags(when));
        },
        [=](Settings& s, const GValue* value) { member(s) = g_value_get_boolean(value); },
        [=](Settings& s, GValue* value) { g_value_set_boolean(value, member(s)); });
  }
  PropertyTable& integer(const char* name, const char* nick, const char* blurb, Mutable when,
                         int least, int most, Member<int> member) {
    return add(
        [=](Settings& initial) {
          return g_param_spec_int(name, nick, blurb, least, most, member(initial), flags(when));
        },
        [=](Settings& s, const GValue* value) { member(s) = g_value_get_int(value); },
        [=](Settings& s, GValue* value) { g_value_set_int(value, member(s)); });
  }
  PropertyTable& number(const char* name, const char* nick, const char* blurb, Mutable when,
                        double least, double most, Member<double> member) {
    return add(
        [=](Settings& initial) {
          return g_param_spec_double(name, nick, blurb, least, most, member(initial), flags(when));
        },
        [=](Settings& s, const GValue* value) { member(s) = g_value_get_double(value); },
        [=](Settings& s, GValue* value) { g_value_set_double(value, member(s)); });
  }
  /** Null sets it empty. Where `unset` it is null when it is empty. */
  PropertyTable& text(const char* name, const char* nick, const char* blurb, Mutable when,
                      Member<std::string> member, bool unset = true) {
    const auto textOf = [=](Settings& s) {
      return unset && member(s).empty() ? nullptr : member(s).c_str();
    };
    return add(
        [=](Settings& initial) {
          return g_param_spec_string(name, nick, blurb, textOf(initial), flags(when));
        },
        [=](Settings& s, const GValue* value) {
          const gchar* text = g_value_get_string(value);
          member(s) = text ? text : "";
        },
        [=](Settings& s, GValue* value) { g_value_set_string(value, textOf(s)); });
  }
  /** `member` is the index of one of the values of `type`. */
  PropertyTable& choice(const char* name, const char* nick, const char* blurb, Mutable when,
                        GType type, Member<int> member) {
    return add(
        [=](Settings& initial) {
          return g_param_spec_enum(name, nick, blurb, type, member(initial), flags(when));
        },
        [=](Settings& s, const GValue* value) { member(s) = g_value_get_enum(value); },
        [=](Settings& s, GValue* value) { g_value_set_enum(value, member(s)); });
  }
  /** The read-only structure `stats`. */
  PropertyTable& stats(const char* blurb) {
    return add(
        [=](Settings&) {
          return g_param_spec_boxed(
              "stats", "Statistics", blurb, GST_TYPE_STRUCTURE,
              static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
        },
        nullptr, nullptr);
  }

  /** Property i has the id i + 1; defaults are those of a new Settings. */
  void install(GObjectClass* klass) const {
    Settings initial;
    for (std::size_t i = 0; i < rows_.size(); ++i)
      g_object_class_install_property(klass, static_cast<guint>(i + 1), rows_[i].make(initial));
  }
  void set(Settings& settings, guint id, const GValue* value) const {
    rows_.at(id - 1).set(settings, value);
  }
  /** False for `stats`. */
  bool get(Settings& settings, guint id, GValue* value) const {
    const Row& row = rows_.at(id - 1);
    if (row.get) row.get(settings, value);
    return row.get != nullptr;
  }

 private:
  struct Row {
    std::function<GParamSpec*(Settings&)> make;
    std::function<void(Settings&, const GValue*)> set;
    std::function<void(Settings&, GValue*)> get;
  };

  static GParamFlags flags(Mutable when) {
    return static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                    static_cast<int>(when));
  }
  template <typename Make, typename Set, typename Get>
  PropertyTable& add(Make&& make, Set&& set, Get&& get) {
    rows_.push_back({std::forward<Make>(make), std::forward<Set>(set), std::forward<Get>(get)});
    return *this;
  }

  std::vector<Row> rows_;
};

/**
 * Installs the table `Impl::properties()`, and what sets and gets by it, behind the error boundary.
 * `Impl`, which an element's instance points to by `impl`, is a SettingsHolder; its changed() runs
 * after a setting was set, with no lock held, and stats() makes the structure.
 */
template <typename Instance, typename Impl, Impl* Instance::*impl>
void installProperties(GObjectClass* klass) {
  klass->set_property = [](GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    guarded(GST_ELEMENT(object), [&] {
      Impl& owner = *(reinterpret_cast<Instance*>(object)->*impl);
      owner.change([&](auto& settings) { Impl::properties().set(settings, id, value); });
      owner.changed(spec->name);
    });
  };
  klass->get_property = [](GObject* object, guint id, GValue* value, GParamSpec*) {
    guarded(GST_ELEMENT(object), [&] {
      Impl& owner = *(reinterpret_cast<Instance*>(object)->*impl);
      auto settings = owner.settings();
      if (!Impl::properties().get(settings, id, value)) g_value_take_boxed(value, owner.stats());
    });
  };
  Impl::properties().install(klass);
}

}  // namespace elf::gst

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelflaunchline.h"

#include <gst/gst.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "elf/base/error.h"
#include "gst/elfvision/gstelfproperty.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::gst {

namespace {

constexpr const char* kSpaces = " \t\n\v\f\r";

struct Assignment {
  std::string property, value;
};

struct LineElement {
  std::string factory;
  std::vector<Assignment> assignments;

  const std::string& name() const {
    const auto given = std::ranges::find(assignments, "name", &Assignment::property);
    return given == assignments.end() ? factory : given->value;
  }
};

/** One kind of token of a launch line. */
class Rule {
 public:
  enum Kind { Assign, Element, Bin, Other };

  // GStreamer matches bytes, too.
  Rule(Kind kind, const std::string& pattern)
      : kind_(kind),
        regex_(g_regex_new(pattern.c_str(), G_REGEX_RAW, G_REGEX_MATCH_DEFAULT, nullptr)) {}

  Kind kind() const { return kind_; }

  /** The length of the longest match at `at`. */
  std::size_t match(const std::string& line, std::size_t at) const {
    GMatchInfo* info = nullptr;
    int begin = 0, end = 0;
    if (g_regex_match_all_full(regex_.get(), line.data(), static_cast<gssize>(line.size()),
                               static_cast<int>(at), G_REGEX_MATCH_ANCHORED, &info, nullptr))
      g_match_info_fetch_pos(info, 0, &begin, &end);
    const Ref<GMatchInfo> owner(info);
    return static_cast<std::size_t>(end - begin);
  }

 private:
  Kind kind_;
  Ref<GRegex> regex_;
};

/** The tokens of gst_parse_launch(), as far as elements and their properties need them. */
std::vector<Rule> makeRules() {
  const std::string name = "[[:alnum:]_][[:alnum:]_%:-]*";
  const std::string assign = R"(\s*=\s*)";
  const std::string text = R"((?:(?:\\.|\S)+|"(?:[^"]|\\")*"|'(?:[^']|\\')*'))";
  std::vector<Rule> rules;
  rules.emplace_back(Rule::Assign, name + assign + text);
  rules.emplace_back(Rule::Other, "@preset" + assign + text);
  rules.emplace_back(Rule::Other, "(?:" + name + R"()?\.(?:)" + name + ")?");  // element.pad
  rules.emplace_back(Rule::Element, name + R"((?:\s*\.\s*\()?)");  // or the bin `name.(`
  rules.emplace_back(Rule::Bin, R"(\()");
  // ! caps !
  rules.emplace_back(Rule::Other, R"([!:]\s*[[:alnum:]-]+/[[:alnum:]-](?:\\.|[^!])*[!:])");
  rules.emplace_back(Rule::Other, "(?:[[:alpha:]][[:alnum:].+-]*:/)?/" + text + "?");  // a URL
  return rules;
}

/** Unescapes a value as GStreamer does: removes surrounding quotes and backslashes. */
std::string unescape(std::string text) {
  if (text.size() > 1 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  std::string value;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && !quoted) {
      if (++i == text.size()) break;
    } else if (text[i] == '"' && !(quoted && text[i - 1] == '\\')) {
      quoted = !quoted;
    }
    value += text[i];
  }
  return value;
}

std::string firstWord(const std::string& token) {
  return token.substr(0, token.find_first_of(std::string(kSpaces) + ".="));
}

Assignment parseAssignment(const std::string& token) {
  const std::size_t value = token.find_first_not_of(kSpaces, token.find('=') + 1);
  return {firstWord(token), unescape(token.substr(value))};
}

std::vector<LineElement> elementsOf(const std::string& line) {
  const std::vector<Rule> rules = makeRules();
  std::vector<LineElement> elements;
  for (std::size_t at = 0; at < line.size();) {
    // The longest token wins, and the first of equally long ones.
    std::size_t length = 0;
    Rule::Kind kind = Rule::Other;
    for (const Rule& rule : rules)
      if (const std::size_t matched = rule.match(line, at); matched > length) {
        length = matched;
        kind = rule.kind();
      }
    const std::string token = line.substr(at, length);
    if (kind == Rule::Element) elements.push_back({firstWord(token), {}});
    if (kind == Rule::Bin) elements.push_back({"bin", {}});
    if (kind == Rule::Assign && !elements.empty())
      elements.back().assignments.push_back(parseAssignment(token));
    at += std::max<std::size_t>(length, 1);
  }
  return elements;
}

/** The properties of an element from some factory. */
class Properties {
 public:
  explicit Properties(const std::string& factory) {
    const Ref<GstElementFactory> found(gst_element_factory_find(factory.c_str()));
    if (found) factory_.reset(gst_plugin_feature_load(GST_PLUGIN_FEATURE(found.get())));
    if (!factory_) return;
    const GType type = gst_element_factory_get_element_type(GST_ELEMENT_FACTORY(factory_.get()));
    class_.reset(static_cast<GObjectClass*>(g_type_class_ref(type)));
  }

  /** Null if the property does not exist, or not yet. */
  GParamSpec* find(const std::string& path) {
    if (!class_) return nullptr;
    const std::size_t child = path.find("::");
    if (child == path.npos) return g_object_class_find_property(class_.get(), path.c_str());
    if (!element_) makeElement();
    if (!GST_IS_CHILD_PROXY(element_.get())) return nullptr;
    makeChild(path.substr(0, child));
    GObject* owner = nullptr;
    GParamSpec* property = nullptr;
    if (gst_child_proxy_lookup(GST_CHILD_PROXY(element_.get()), path.c_str(), &owner, &property))
      g_object_unref(owner);
    return property;
  }

 private:
  // A class has its own properties, but only an element has those of its children. It has a name so
  // that GStreamer does not count it when it names the pipeline's elements.
  void makeElement() {
    element_ = sunk(gst_element_factory_create(GST_ELEMENT_FACTORY(factory_.get()), "looked-at"));
  }

  // A child that does not exist from the start may be a request pad.
  void makeChild(const std::string& name) {
    GstChildProxy* parent = GST_CHILD_PROXY(element_.get());
    if (GObject* child = gst_child_proxy_get_child_by_name(parent, name.c_str()))
      g_object_unref(child);
    else
      Ref<GstPad>(gst_element_request_pad_simple(element_.get(), name.c_str()));
  }

  Ref<GstPluginFeature> factory_;
  Ref<GObjectClass> class_;
  Ref<GstElement> element_;
};

}  // namespace

void requireValuesThatFit(const std::string& file, const std::string& line) {
  for (const LineElement& element : elementsOf(line)) {
    Properties properties(element.factory);
    for (const Assignment& assignment : element.assignments) {
      const std::string& value = assignment.value;
      GParamSpec* property = properties.find(assignment.property);
      if (!property) continue;
      if (g_type_is_a(property->value_type, GST_TYPE_ELEMENT))
        requireValuesThatFit(file, value);
      else if (!takes(property, value))
        throw Error(file + ": " + element.name(), assignment.property + " can't be " +
                                                      (value.empty() ? "empty" : value) +
                                                      whatItTakes(property));
    }
  }
}

}  // namespace elf::gst

// SPDX-License-Identifier: LGPL-2.1-or-later
// The two ways in which lib/ reports errors.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace elf {

/**
 * Thrown at load and set-up time only (reading a file, choosing a model, parsing a URL), never
 * while frames flow. what() is one sentence that begins with its subject: the file, key, property
 * or server that is wrong.
 */
class Error : public std::runtime_error {
 public:
  Error(const std::string& subject, const std::string& reason)
      : std::runtime_error(subject + ": " + reason), subject_(subject) {}

  /** The file, key, property or server that is wrong. */
  const std::string& subject() const { return subject_; }

 private:
  std::string subject_;
};

/**
 * What the per-frame path returns: a value, or one sentence that says why it is missing. Asking for
 * the one that it does not hold is a programming error (std::bad_variant_access).
 */
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}

  static Result failure(std::string why) { return Result(Failed{}, std::move(why)); }

  bool ok() const { return content_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& value() const& { return std::get<0>(content_); }
  T& value() & { return std::get<0>(content_); }
  T&& value() && { return std::get<0>(std::move(content_)); }
  const std::string& error() const { return std::get<1>(content_); }

 private:
  struct Failed {};
  Result(Failed, std::string why) : content_(std::in_place_index<1>, std::move(why)) {}

  std::variant<T, std::string> content_;
};

}  // namespace elf

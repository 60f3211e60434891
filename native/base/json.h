// JSON (RFC 8259) read strictly and written so that it reads back the same. It takes what strangers send: nesting, length and
// the number of values have limits, text must be UTF-8, a key may occur once in an object, and nothing may follow the value.
// Integers that fit are exact to 64 bits; other numbers are doubles, written in the fewest digits that read back to them.
// Objects keep the order of their keys.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace athanor {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(bool x) : value_(x) {}
  Json(std::int64_t x) : value_(x) {}
  Json(int x) : value_(std::int64_t{x}) {}
  Json(double x) : value_(x) {}
  Json(std::string x) : value_(std::move(x)) {}
  Json(std::string_view x) : value_(std::string(x)) {}
  Json(const char* x) : value_(std::string(x)) {}
  Json(Array x) : value_(std::move(x)) {}
  Json(Object x) : value_(std::move(x)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  // Null where the value is of another kind. A number without fraction or exponent that fits is an integer, else a real.
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  const double* real() const { return std::get_if<double>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  bool is_number() const { return integer() || real(); }
  double number() const { return integer() ? static_cast<double>(*integer()) : real() ? *real() : 0.0; }

  // The member of an object; null where there is none, or where this is no object.
  const Json* find(std::string_view key) const;

  // "null", "a boolean", "a number", "a string", "an array", "an object"
  const char* kind() const;

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  int depth = 64;                              // arrays and objects inside each other
  std::size_t bytes = std::size_t{100} << 20;  // of text
  std::size_t values = std::size_t{1} << 22;   // of all kinds together, members of objects counted twice
};

// Throws Error(Code::corrupt, "line 3, column 7: expected …, got …"); the caller says which file it was.
Json parse_json(std::string_view text, const JsonLimits& limits = {});

// With indent > 0 one member or element a line. Throws Error(Code::argument) for NaN, infinity and text that is not UTF-8.
std::string write_json(const Json& value, int indent = 0);

// Bytes of the longest prefix that is well-formed UTF-8: text.size() when all of it is.
std::size_t valid_utf8(std::string_view text);

}  // namespace athanor

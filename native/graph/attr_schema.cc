#include "graph/attr_schema.h"

#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.h"
#include "graph/op.h"

namespace athanor {
namespace {

const char* described(AttrKind kind) {
  switch (kind) {
    case AttrKind::flag: return "true or false";
    case AttrKind::integer: return "a whole number";
    case AttrKind::real: return "a number";
    case AttrKind::text: return "a string";
    case AttrKind::dtype: return "the name of an element type";
    case AttrKind::list: return "a list of whole numbers";
  }
  return "";
}

bool is_of(AttrKind kind, const Attr& value) {
  switch (kind) {
    case AttrKind::flag: return std::holds_alternative<bool>(value);
    case AttrKind::integer: return std::holds_alternative<Index>(value);
    case AttrKind::real: return std::holds_alternative<double>(value) || std::holds_alternative<Index>(value);
    case AttrKind::text:
    case AttrKind::dtype: return std::holds_alternative<std::string>(value);
    case AttrKind::list: return std::holds_alternative<std::vector<Index>>(value);
  }
  return false;
}

// "inf", "-inf", "12", "0.5", "2^30"
double bound(std::string_view text) {
  const std::string number(text);
  if (number.ends_with("inf")) return (number[0] == '-' ? -1 : 1) * std::numeric_limits<double>::infinity();
  const auto power = number.find('^');
  if (power == std::string::npos) return std::strtod(number.c_str(), nullptr);
  return static_cast<double>(Index{1} << std::strtol(number.c_str() + power + 1, nullptr, 10));
}

bool within(double value, std::string_view range) {
  const auto comma = range.find(", ");
  const double low = bound(range.substr(1, comma - 1)), high = bound(range.substr(comma + 2, range.size() - comma - 3));
  return (range.front() == '[' ? value >= low : value > low) && (range.back() == ']' ? value <= high : value < high);
}

bool is_one_of(std::string_view value, std::string_view range) {
  for (std::size_t at = 0; at <= range.size();) {
    const std::size_t end = std::min(range.find('|', at), range.size());
    if (range.substr(at, end - at) == value) return true;
    at = end + 1;
  }
  return false;
}

bool in_range(const AttrSchema& schema, const Attr& value) {
  const std::string_view range = schema.range;
  if (range.empty()) return true;
  if (const auto* text = std::get_if<std::string>(&value)) return is_one_of(*text, range);
  if (const auto* whole = std::get_if<Index>(&value)) return within(static_cast<double>(*whole), range);
  if (const auto* real = std::get_if<double>(&value)) return within(*real, range);
  if (const auto* list = std::get_if<std::vector<Index>>(&value)) {
    for (const Index each : *list) {
      if (!within(static_cast<double>(each), range)) return false;
    }
  }
  return true;
}

std::string expected(const AttrSchema& schema) {
  std::string text = described(schema.kind);
  const std::string range = schema.range;
  if (range.empty()) return text;
  if (schema.kind == AttrKind::list) text += ", each";
  if (schema.kind != AttrKind::text) {
    const auto comma = range.find(", ");
    const std::string low = range.substr(1, comma - 1), high = range.substr(comma + 2, range.size() - comma - 3);
    if (range.front() == '[' && high == "inf") return text + " of " + low + " or more";
    return text + (range.front() == '[' && range.back() == ']' ? " from " + low + " to " + high : " in " + range);
  }
  std::string names;
  for (const char letter : range) names += letter == '|' ? std::string(", ") : std::string(1, letter);
  return "one of " + names;
}

std::string shown(const char* name, const Attr& value) {
  return to_string(Attrs{{name, value}}).substr(std::string_view(name).size() + 1);
}

std::string known_names(const OpInfo& row) {
  if (row.attrs.empty()) return "it has none";
  std::string names;
  for (const AttrSchema& schema : row.attrs) names += (names.empty() ? "it has " : ", ") + std::string(schema.name);
  return names;
}

}  // namespace

void check_attrs(const OpInfo& row, const Attrs& attrs) {
  std::size_t known = 0;
  for (const AttrSchema& schema : row.attrs) {
    const Attr* value = attrs.find(schema.name);
    if (value == nullptr) {
      check(schema.presence != Presence::required, Code::argument, [&] {
        return std::string(row.name) + ": attribute \"" + schema.name + "\" is missing, expected " + expected(schema);
      });
      continue;
    }
    ++known;
    check(is_of(schema.kind, *value) && in_range(schema, *value), Code::argument, [&] {
      return std::string(row.name) + ": " + schema.name + " must be " + expected(schema) + ", got " +
             shown(schema.name, *value);
    });
  }
  if (known == attrs.entries().size()) return;
  for (const auto& [name, value] : attrs.entries()) {
    bool found = false;
    for (const AttrSchema& schema : row.attrs) found = found || name == schema.name;
    check(found, Code::argument,
          [&] { return std::string(row.name) + ": there is no attribute \"" + name + "\"; " + known_names(row); });
  }
}

}  // namespace athanor

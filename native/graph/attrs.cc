#include "graph/attrs.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace athanor {
namespace {

template <class T>
const T& expect(const Attrs& attrs, const std::string& name, const char* kind) {
  const Attr* attr = attrs.find(name);
  check(attr != nullptr, Code::argument, [&] { return "attribute \"" + name + "\" is missing"; });
  const T* value = std::get_if<T>(attr);
  check(value != nullptr, Code::argument, [&] { return "attribute \"" + name + "\" must be " + kind; });
  return *value;
}

std::string print(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

}  // namespace

void Attrs::set(const std::string& name, Attr value) {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const auto& entry, const std::string& key) { return entry.first < key; });
  if (at != entries_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    entries_.emplace(at, name, std::move(value));
  }
}

const Attr* Attrs::find(const std::string& name) const {
  for (const auto& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

Index Attrs::integer(const std::string& name) const { return expect<Index>(*this, name, "an integer"); }

Index Attrs::integer(const std::string& name, Index fallback) const { return has(name) ? integer(name) : fallback; }

double Attrs::real(const std::string& name) const {
  const Attr* attr = find(name);
  if (attr != nullptr) {
    if (const Index* whole = std::get_if<Index>(attr)) return static_cast<double>(*whole);
  }
  return expect<double>(*this, name, "a number");
}

double Attrs::real(const std::string& name, double fallback) const { return has(name) ? real(name) : fallback; }

bool Attrs::flag(const std::string& name, bool fallback) const {
  return has(name) ? expect<bool>(*this, name, "true or false") : fallback;
}

std::string Attrs::text(const std::string& name) const { return expect<std::string>(*this, name, "a string"); }

std::string Attrs::text(const std::string& name, const std::string& fallback) const {
  return has(name) ? text(name) : fallback;
}

std::vector<Index> Attrs::list(const std::string& name) const {
  return expect<std::vector<Index>>(*this, name, "a list of integers");
}

std::vector<Index> Attrs::list(const std::string& name, std::vector<Index> fallback) const {
  return has(name) ? list(name) : fallback;
}

std::string to_string(const Attrs& attrs) {
  struct Printer {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(Index value) const { return std::to_string(value); }
    std::string operator()(double value) const { return print(value); }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const std::vector<Index>& values) const {
      std::string text = "[";
      for (std::size_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + std::to_string(values[i]);
      return text + "]";
    }
  };
  std::string text;
  for (const auto& [name, value] : attrs.entries()) {
    if (!text.empty()) text += ", ";
    text += name + "=" + std::visit(Printer{}, value);
  }
  return text;
}

}  // namespace athanor

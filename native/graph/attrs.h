// The named constants of a node: axis, eps, stride, … Kept sorted by name, so that equal sets compare equal and print the same.
#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/index.h"

namespace athanor {

using Attr = std::variant<bool, Index, double, std::string, std::vector<Index>>;

class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<const char*, Attr>> entries) {
    for (const auto& [name, value] : entries) set(name, value);
  }

  void set(const std::string& name, Attr value);
  const Attr* find(const std::string& name) const;
  bool has(const std::string& name) const { return find(name) != nullptr; }

  // Getters throw Code::argument when the entry is missing (without a fallback) or of another kind.
  Index integer(const std::string& name) const;
  Index integer(const std::string& name, Index fallback) const;
  double real(const std::string& name) const;
  double real(const std::string& name, double fallback) const;
  bool flag(const std::string& name, bool fallback = false) const;
  std::string text(const std::string& name) const;
  std::string text(const std::string& name, const std::string& fallback) const;
  std::vector<Index> list(const std::string& name) const;
  std::vector<Index> list(const std::string& name, std::vector<Index> fallback) const;

  const std::vector<std::pair<std::string, Attr>>& entries() const { return entries_; }
  friend bool operator==(const Attrs&, const Attrs&) = default;

 private:
  std::vector<std::pair<std::string, Attr>> entries_;
};

// "axis=1, keep=true"
std::string to_string(const Attrs& attrs);

}  // namespace athanor

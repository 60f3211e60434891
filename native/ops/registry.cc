// The table behind graph/op.h: rows from ops.def, rules from the families.
#include "graph/op.h"

#include <array>
#include <string>
#include <unordered_map>

namespace athanor {

namespace {

const std::array kTable = {
#define ATHANOR_OP(name, arity, traits) OpInfo{Op::name, #name, arity, traits, &rule_##name},
#include "graph/ops.def"
#undef ATHANOR_OP
};

}  // namespace

const OpInfo& info(Op op) { return kTable[static_cast<std::size_t>(op)]; }

const OpInfo* find_op(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const OpInfo*> map;
    for (const OpInfo& row : kTable) map.emplace(row.name, &row);
    return map;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

std::vector<const OpInfo*> all_ops() {
  std::vector<const OpInfo*> rows;
  for (const OpInfo& row : kTable) rows.push_back(&row);
  return rows;
}

}  // namespace athanor

// The table behind graph/op.h: rows from ops.def, rules from the families.
#include <array>
#include <string>
#include <unordered_map>

#include "graph/op.h"

namespace athanor {

namespace {

template <class Default>
constexpr Presence presence_of(const Default&) {
  return Presence::optional;
}
constexpr Presence presence_of(Required) { return Presence::required; }
constexpr Presence presence_of(Derived) { return Presence::derived; }

// The attributes of row `name` are the array schema::name. A row has up to kMost of them.
inline constexpr std::size_t kMost = 16;
struct Schema {
  AttrSchema rows[kMost];
  constexpr std::size_t size() const {
    std::size_t n = 0;
    while (n < kMost && rows[n].name != nullptr) ++n;
    return n;
  }
};

namespace schema {
#define ATTR(name, kind, value, range) {#name, AttrKind::kind, presence_of(value), range},
#define ATHANOR_OP(name, arity, traits, pruning, flops, api, sentence, ...) constexpr Schema name{{__VA_ARGS__}};
#include "graph/ops.def"
#undef ATHANOR_OP
#undef ATTR
}  // namespace schema

const std::array kTable = {
#define ATTR(name, kind, value, range)
#define ATHANOR_OP(name, arity, traits, pruning, flops, api, sentence, ...)                                      \
  OpInfo{Op::name,         #name, arity,    traits,                                                              \
         Pruning::pruning, api,   sentence, std::span<const AttrSchema>(schema::name.rows, schema::name.size()), \
         &rule_##name},
#include "graph/ops.def"
#undef ATHANOR_OP
#undef ATTR
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

std::string row_fault(const OpInfo& row) {
  const OpRule& rule = *row.rule;
  const std::string name = row.name;
  const bool elementwise = row.is(kElementwise), lowered = !elementwise && !row.is(kSource | kView);
  if (rule.infer == nullptr) return name + ": its rule has no shape rule";
  if (row.is(kNoGradient) == (rule.vjp != nullptr)) {
    return name + (rule.vjp ? ": its rule has a gradient, and the row says kNoGradient"
                            : ": its rule has no gradient; write its vjp, or say kNoGradient in the row");
  }
  if (elementwise != rule.instruction.has_value())
    return name +
           ": an elementwise row, and no other, names its instruction of kernels/elementwise/elementwise.def in its "
           "rule";
  if (elementwise && rule.instruction != EwOp::copy && row.arity != inputs_of(*rule.instruction))
    return name + ": its instruction takes another number of operands than the row";
  if (lowered != (rule.lower != nullptr))
    return name +
           ": a row that is neither elementwise nor a source nor a view, and no other, has a lowering in its rule";
  if (row.is(kRows) && !row.is(kEpilogue))
    return name + ": kRows says how an epilogue runs, and the row has no kEpilogue";
  if (std::string(row.sentence).empty()) return name + ": the row has no sentence for the reference";
  const std::string api = row.api;
  if (api != "engine" && api.find('.') == std::string::npos)
    return name + ": the row must name what makes it in TypeScript (\"Tensor.exp\"), or say \"engine\"";
  return {};
}

}  // namespace athanor

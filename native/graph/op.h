// The registry of operations. An operation's row in graph/ops.def gives its name, arity and traits; its rule (shape, gradient,
// CPU lowering) is the constant `rule_<name>` in one file of ops/. A row without a rule does not link.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "graph/attrs.h"
#include "kernels/elementwise/elementwise.h"

namespace athanor {

enum class Op : std::uint8_t {
#define ATHANOR_OP(name, arity, traits) name,
#include "graph/ops.def"
#undef ATHANOR_OP
};

enum Trait : unsigned {
  kNone = 0,
  kElementwise = 1 << 0,  // result element i depends on the operands' (broadcast) elements i alone
  kCommutative = 1 << 1,
  kSource = 1 << 2,      // reads nothing: input, parameter, constant
  kView = 1 << 3,        // same elements in the same order: costs nothing, shares its operand's memory
  kEpilogue = 1 << 4,    // its lowering applies a body to its result while that is in cache
  kEffect = 1 << 5,      // changes a variable or a resource: kept, in order, after every reader of what it changes
  kRandom = 1 << 6,      // depends on the run's seed and step: never folded
  kCollective = 1 << 7,  // work with other ranks: never merged nor folded, as early as its operands permit
  kWait = 1 << 8,  // waits for work that the maker of its first operand began; its result is that operand's memory
};

inline constexpr int kVariadic = -1;

class VjpContext;
class LowerContext;

struct InferContext {
  const char* name;
  const std::vector<Type>& inputs;
  Attrs& attrs;  // a rule may normalize them (axis -1 becomes rank - 1)
  std::vector<Type>& outputs;
};

struct OpRule {
  void (*infer)(InferContext&);
  void (*vjp)(VjpContext&) = nullptr;      // nullptr: not differentiable
  void (*lower)(LowerContext&) = nullptr;  // nullptr: elementwise (the fuser lowers it), source or view
  EwOp instruction = EwOp::copy;           // elementwise: the instruction of the fused interpreter
};

// Declared here so that the families' constants have external linkage.
#define ATHANOR_OP(name, arity, traits) extern const OpRule rule_##name;
#include "graph/ops.def"
#undef ATHANOR_OP

struct OpInfo {
  Op op;
  const char* name;
  int arity;
  unsigned traits;
  const OpRule* rule;

  bool is(unsigned trait) const { return (traits & trait) != 0; }
};

const OpInfo& info(Op op);
const OpInfo* find_op(std::string_view name);
std::vector<const OpInfo*> all_ops();

}  // namespace athanor

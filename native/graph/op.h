// The registry of operations. An operation's row in graph/ops.def gives its name, arity, traits and attributes; its rule (shape, gradient,
// CPU lowering) is the constant `rule_<name>` in one file of ops/. A row without a rule does not link; what a row promises and its
// rule lacks is named by row_fault.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "graph/attr_schema.h"
#include "graph/attrs.h"
#include "kernels/elementwise/elementwise.h"

namespace athanor {

enum class Op : std::uint8_t {
#define ATHANOR_OP(name, ...) name,
#include "graph/ops.def"
#undef ATHANOR_OP
};

inline constexpr int kOpCount = 0
#define ATHANOR_OP(...) +1
#include "graph/ops.def"
#undef ATHANOR_OP
    ;

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
  kRows = 1 << 9,  // with kEpilogue: a segment of the result runs along its last axis, not along its last two
  kNoGradient = 1 << 10,  // no gradient is asked of it, or its rule refuses one
};

// How structured pruning goes through an operation; lib/prune/structured has the rule of each.
enum class Pruning : std::uint8_t {
  // Elementwise: where a result is 0 if parameters are.
  zeros,          // where all operands are: f(0) = 0
  never,          // nowhere: f(0) is something else
  any_factor,     // where any operand is
  first_operand,  // where the first is
  bounded_above,  // a maximum: where the other side is a number of 0 or less
  bounded_below,  // a minimum: where the other side is a number of 0 or more
  chosen,         // where both alternatives are
  // By what becomes of the axes.
  input,
  parameter,
  constant,
  counted,
  random,
  product,
  convolution,
  attention,
  attention_packed,
  batch_norm,
  row_norm,
  pool,
  sum,  // a sum does not miss what is 0
  reduction,
  index,
  softmax,
  table,
  reshape,
  transpose,
  concat,
  slice,
  pad,
  opaque,  // not at all: everything that it touches stays
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
  std::optional<EwOp> instruction = {};    // elementwise: the instruction of the fused interpreter
};

// Declared here so that the families' constants have external linkage.
#define ATHANOR_OP(name, ...) extern const OpRule rule_##name;
#include "graph/ops.def"
#undef ATHANOR_OP

struct OpInfo {
  Op op;
  const char* name;
  int arity;
  unsigned traits;
  Pruning pruning;
  const char* api;       // "Tensor.exp", "ops.conv2d", or "engine"
  const char* sentence;  // for the reference
  std::span<const AttrSchema> attrs;
  const OpRule* rule;

  bool is(unsigned trait) const { return (traits & trait) != 0; }
};

const OpInfo& info(Op op);
const OpInfo* find_op(std::string_view name);
std::vector<const OpInfo*> all_ops();

// What a row promises and its rule or its fields do not keep, as a sentence; empty where they agree. The tests ask for every row.
std::string row_fault(const OpInfo& row);

}  // namespace athanor

// What an update rule is made of. update_rules/rules.def lists them; this page turns each row into
//   <Type>Hyper   a struct of doubles, in row order, with the defaults      { lr, weight_decay, … }
//   <Type>State   the slot numbers                                         <Type>State::exp_avg, …, <Type>State::kCount
//   RuleId        enum                                                     RuleId::adamw
// and optim/rules/<id>.h gives a struct <Type> with
//   kVariants                        how many kernels the flags ask for (amsgrad or not, …)
//   variant(hyper)                   which of them
//   state_mask(variant)              bit k set: slot k is read and written
//   prepare(hyper, step, c)          the scalars of step 1, 2, …, computed in double, rounded once into c[kMaxScalars]
//   Update<V, variant>               the maths: constructed from c, then p = update(p, g, s) on any vector type V
// A rule that needs more of a tensor than one element at a time has several passes: update_rules/passes.h.
// It depends on nothing but base/, so that the kernels of every instruction set and of CUDA can include it.
#pragma once
#include "base/index.h"
#include "update_rules/limits.h"

// Before every function of a rule: kernels of a GPU call it too.
#if defined(__CUDACC__)
#define ATHANOR_RULE __host__ __device__
#elif defined(ATHANOR_EMULATOR)  // no copy out of line, which checked kernels would share with unchecked tests
#define ATHANOR_RULE [[gnu::always_inline]]
#else
#define ATHANOR_RULE
#endif

namespace athanor::optim {

// What ranks that each hold a part of the state may cut: anywhere, between tensors, or nowhere.
enum class Shardable : int { elementwise, tensor, whole };

// The shape of a state variable beside that of its parameter [.., R, C]:
//   same [.., R, C]   rows [.., R, 1]   columns [.., 1, C]   numbers [kNumbers], which belong to the run rather than to elements
enum class StateForm : int { same, rows, columns, numbers };
inline constexpr int kNumbers = 3;

#define FLAG(name, value) HYPER(name, value, "")
#define HYPER(name, value, interval) double name = value;
#define STATE(name, init)
#define RULE_BEGIN(id, Type) struct Type##Hyper {
#define RULE_END(id, Type) \
  }                        \
  ;
#include "update_rules/rules.def"
#undef HYPER
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

#define HYPER(name, value, interval)
#define STATE(name, init) name,
#define RULE_BEGIN(id, Type) \
  struct Type##State {       \
    enum Slot {
#define RULE_END(id, Type)                 \
  kCount                                   \
  }                                        \
  ;                                        \
  static_assert(int(kCount) <= kMaxState); \
  }                                        \
  ;
#include "update_rules/rules.def"
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

#define STATE(name, init)
#define RULE_BEGIN(id, Type) id,
#define RULE_END(id, Type)
enum class RuleId : int {
#include "update_rules/rules.def"
  kCount
};
#undef HYPER
#undef STATE
#undef FLAG
#undef RULE_BEGIN
#undef RULE_END

inline constexpr int kRuleCount = int(RuleId::kCount);

// Several passes (update_rules/passes.h) or one.
template <class Rule>
inline constexpr bool kHasPasses = requires { Rule::traffic(0, 0); };

// The sign of the gradient: PyTorch's maximize.
ATHANOR_RULE constexpr float gradient_sign(double maximize) { return maximize != 0 ? -1.0f : 1.0f; }

}  // namespace athanor::optim

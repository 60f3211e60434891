// The work on whole matrices between two passes of a rule: on what the pass left in the scratch, with our own matrix product. A rule that
// wants some has a row in the table of matrix.cc.
#pragma once
#include "base/parallel.h"
#include "update_rules/passes.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct MatrixWork {
  int variant;
  Extents extents;
  const float* scalars;
  const double* sums;  // of the pass before
  float* scratch;      // (extents.count()), to be replaced
  void* workspace;     // 64-byte aligned
};

// Whether this rule works on matrices, and the bytes that it needs for one.
bool has_matrix_work(RuleId rule);
Index matrix_workspace(RuleId rule, const Extents& extents, int workers);

void work_on_matrix(RuleId rule, const MatrixWork& work, Parallel& parallel);

}  // namespace athanor::optim

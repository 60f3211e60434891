// The driver of rules with several passes (update_rules/passes.h): a pass over all tensors, what their sums come to, the work on
// matrices, the next pass. Chunks are those of the plan, so that a pass costs the same for one tensor as for two thousand.
#pragma once
#include <span>
#include <vector>

#include "kernels/optim/optim.h"
#include "optim/optimizer.h"
#include "update_rules/passes.h"

namespace athanor::optim {

// The functions of a rule, by its row.
struct PassRule {
  Traffic (*traffic)(int variant, int pass) = nullptr;
  void (*after)(int variant, int pass, Index n, const double* sums, float* scalars) = nullptr;
  void (*fit)(int variant, const Extents& extents, float* scalars) = nullptr;      // or null
  Factors (*factors)(const float* scalars) = nullptr;                              // or null
  void (*begin)(float* numbers, float* scalars) = nullptr;                         // or null
  void (*together)(const double* sums, float* numbers, float* scalars) = nullptr;  // or null
};

// Null for rules of one pass.
const PassRule* pass_rule(RuleId rule);

// What one kernel call works on: a run of elements of one segment, whole rows of a factored one.
struct Piece {
  Index segment, offset, n;
  Index column_squares;  // where its sums begin, in floats
};

// Where things lie in the workspace of a step.
struct PassLayout {
  explicit PassLayout(const OptimPlan& plan);

  std::vector<Piece> pieces;
  std::vector<Index> of_chunk;    // first piece of each chunk, and the end
  std::vector<Index> of_segment;  // first piece of each segment, and the end
  std::vector<Index> first_row;   // of each segment, among all rows
  std::vector<Index> scratch;     // of each segment, in floats; -1: none
  // Bytes from the beginning.
  Index sums, row_squares, row_factors, column_squares, scalars, broken, scratches, matrix;
};

// Bytes that update_in_passes needs.
Index pass_workspace(const OptimPlan& plan, int workers);

struct Scaling {
  float multiplier, clip_value;  // kernels::OptimRun
};

// The first segment whose update was not finite, or -1. The workspace is that of step_workspace.
Index update_in_passes(const OptimPlan& plan, std::span<const Group> groups, Scaling scaling, void* workspace,
                       Parallel& parallel);

// The addresses of a piece of a segment.
void fill_run(kernels::OptimRun& run, const Segment& segment, const float* scalars, Index offset, Index n);

}  // namespace athanor::optim

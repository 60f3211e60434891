// One pass of a rule over the elements of a chunk (update_rules/passes.h), and what passes leave to one another.
#pragma once
#include "cuda/kernels/optim/optim.cuh"

namespace athanor::cuda {

struct TensorRun {
  double sums[optim::kMaxSums];
  float scalars[optim::kMaxScalars];
  int variant;
  int broken;  // 1: in this pass, 2: before, 3: takes no pass for another's sake
};

// Where a step keeps what its passes leave to one another.
struct Passes {
  TensorRun* tensors;  // (tensor_count)
  double* sums;        // (chunk_count, kMaxSums)
  double* squares;     // (rows)
  float* factors;      // (rows)
};

// Slots of states of another shape than the tensor's; -1: none.
template <class Rule>
struct Shaped {
  static constexpr int kNumbers = -1, kRows = -1, kColumns = -1;
};
template <>
struct Shaped<optim::Prodigy> {
  static constexpr int kNumbers = optim::ProdigyState::estimate, kRows = -1, kColumns = -1;
};
template <>
struct Shaped<optim::Adafactor> {
  static constexpr int kNumbers = -1, kRows = optim::AdafactorState::row_var, kColumns = optim::AdafactorState::col_var;
};

// The gradient as the rules see it: 0 where the mask hides it.
ATHANOR_DEVICE float gradient(const device::OptimTensor& t, Index i, float multiplier, float clip_value) {
  if (t.mask != nullptr && t.mask[i] == 0) return 0;
  float g = t.grad[i] * multiplier;
  g = g > clip_value ? clip_value : g;  // in this order NaN stays NaN
  return g < -clip_value ? -clip_value : g;
}

// One element: whether what it became is finite.
template <class Rule, int kVariant, int kPass, class Pass>
ATHANOR_DEVICE bool pass_element(const OptimParams& p, const Passes& w, const device::OptimTensor& t, Index i,
                                 float multiplier, const Pass& pass, double (&sums)[optim::kMaxSums]) {
  constexpr optim::Traffic kTraffic = Rule::traffic(kVariant, kPass);
  optim::Elements<Vec> e;
  e.p = e.g = e.t = e.row = e.column = Vec::zero();
  const bool kept = t.mask == nullptr || t.mask[i] != 0;
  if constexpr (kTraffic.grad) e.g = Vec{gradient(t, i, multiplier, static_cast<float>(p.step.clip_value))};
  if constexpr (kTraffic.param || kTraffic.update) e.p = Vec{t.param[i]};
  if constexpr (kTraffic.factored) {
    const Index row = i / t.columns;
    e.row = Vec{w.factors[t.first_row + row]};
    e.column =
        Vec{static_cast<const float*>(t.state[Shaped<Rule>::kColumns])[row / t.rows * t.columns + i % t.columns]};
  }
#pragma unroll
  for (int k = 0; k < optim::kMaxState; ++k)
    e.s[k] = (kTraffic.reads >> k & 1) ? Vec{static_cast<const float*>(t.state[k])[i]} : Vec::zero();
#pragma unroll
  for (int k = 0; k < optim::kMaxSums; ++k) e.sums[k] = Vec::zero();
  const optim::Elements<Vec> old = e;
  pass(e);
#pragma unroll
  for (int k = 0; k < kTraffic.sums; ++k)
    if (kept) sums[k] += static_cast<double>(e.sums[k].v);
  float zeros = 0;  // NaN where one of the new values is not finite
  if constexpr (kTraffic.update) zeros = kept ? e.p.v * 0.0f : 0.0f;
#pragma unroll
  for (int k = 0; k < optim::kMaxState; ++k)
    if ((kTraffic.writes >> k & 1) && kept) zeros = fmaf(e.s[k].v, 0.0f, zeros);
  const bool good = zeros == 0.0f;
  if constexpr (kTraffic.update) t.param[i] = !kept ? 0.0f : good ? e.p.v : old.p.v;
#pragma unroll
  for (int k = 0; k < optim::kMaxState; ++k)
    if (kTraffic.writes >> k & 1) static_cast<float*>(t.state[k])[i] = !kept ? 0.0f : good ? e.s[k].v : old.s[k].v;
  return good;
}

template <class Rule, int kVariant, int kPass>
ATHANOR_DEVICE void pass_chunk(const OptimParams& p, const Passes& w, const device::OptimChunk& chunk,
                               const device::OptimTensor& tensor, double (&sums)[optim::kMaxSums]) {
  if constexpr (kVariant < Rule::kVariants) {
    if constexpr (Rule::traffic(kVariant, kPass).any()) {
      const typename Rule::template Pass<Vec, kVariant, kPass> pass(w.tensors[chunk.tensor].scalars);
      const float multiplier = p.decision->multiplier * p.groups[tensor.group].sign;
      bool good = true;
      for (int i = static_cast<int>(threadIdx.x); i < chunk.n; i += kOptimThreads)
        good = pass_element<Rule, kVariant, kPass>(p, w, tensor, chunk.offset + i, multiplier, pass, sums) && good;
      if (!good) atomicMax(&w.tensors[chunk.tensor].broken, 1);
    }
  }
}

}  // namespace athanor::cuda

#include "quant/choice.h"

#include "base/error.h"

namespace athanor::quant {
namespace {

constexpr Index kFewRows = 4;                 // read panels as they lie (kernels/quant/quant_float.inl.h)
constexpr Index kNarrow = 64;                 // columns of W^T: fewer fill too little of a panel
constexpr Index kNear = Index{1} << 20;       // bytes in f32 that stay in the second cache
constexpr Index kFar = Index{8} << 20;        // from here on a few rows wait for memory,
constexpr Index kStreamed = Index{12} << 20;  // and more rows do

}  // namespace

bool panels_pay(const Weights& weights, Index M) {
  if (weights.N < kNarrow) return false;
  const Index bytes = weights.N * weights.K * 4;
  if (M > kFewRows) return bytes > kStreamed;
  if (bytes > kFar) return true;
  const bool affine = weights.kind() == Kind::affine,
             few_bits = weights.bits() <= 4;  // nibbles; other codes have a byte in panels
  if (weights.kind() == Kind::codebook || (!affine && !few_bits)) return true;
  if (few_bits) return !affine && M >= 3;  // two operations more a cell: more rows share them
  return M == 1 && bytes > kNear;
}

bool takes_panels(const Weights& weights, Index M, const std::string& layout) {
  if (!has_f32_panels(weights) || layout == "dense") return false;
  return layout == "panels" || panels_pay(weights, M);
}

}  // namespace athanor::quant

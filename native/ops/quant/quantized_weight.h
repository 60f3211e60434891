// What the two operations with a quantized weight share: the operands and attributes that describe it, and its form in lowering.
// The contract is at the head of ops/quant/quantized.cc.
#pragma once
#include "formats/panels.h"
#include "graph/lower.h"

namespace athanor {

enum class Activations { f32, dynamic, fixed };  // attribute "activations": "float", "dynamic", "static"

// All rows of a weight in f32, [N, K].
void dequantize_rows(const quant::Weights& weight, float* to, Parallel& parallel);

// Where the operands are; -1: not there.
struct QuantOperands {
  int q = 1, scale = 2, zero = -1, table = -1, bitmap = -1, act = -1;
  int count = 3;
};

// `first`: operands before the weight's.
QuantOperands quant_operands(const Attrs& attrs, int first = 1);
Activations activations_of(const char* name, const Attrs& attrs);

// Checks all operands but the `first` ones; returns N.
Index check_quant_weight(InferContext& context, int first = 1);

// A quantized weight in a program that is being lowered.
class QuantWeight {
 public:
  explicit QuantWeight(const NodeContext& context, int first = 1);

  const quant::Weights& sizes() const { return sizes_; }  // without addresses, but those that are there are not null
  const QuantOperands& operands() const { return at_; }

  // The weight at its addresses in a run.
  quant::Weights bind(const Execution& run) const;

  // Throws where its values contradict each other.
  void require_consistent(const quant::Weights& weight) const;

  // In the layout of a kernel: data that the programs share, or else a workspace that a step emitted here fills in every run.
  Slot panels(LowerContext& context, const quant::Panels& panels, Index taps) const;

  // Whether nothing in the program changes it.
  bool is_fixed(const LowerContext& context) const;

  // Dequantized to f32 [N, K], and then in the layout that `arrange` gives it in `bytes` bytes (its `name` tells layouts apart);
  // without one as it is.
  using Arrange = std::function<void(const float* dense, std::byte* to, Parallel& parallel)>;
  Slot dequantized(LowerContext& context) const;
  Slot dequantized(LowerContext& context, const std::string& name, Index bytes, Arrange arrange) const;

  // The integers of a weight with one group, in f32 as above, behind the scales of its rows and their unit.
  struct Integers {
    float unit;
    const float* scales;  // [N]
    const float* values;  // what `arrange` made
  };
  Slot integers(LowerContext& context, const std::string& name, Index bytes, Arrange arrange) const;
  Integers integers_at(const std::byte* made) const;

 private:
  using Make = std::function<void(const quant::Weights&, std::byte* to, Parallel& parallel)>;
  Slot make(LowerContext& context, const std::string& key, Index bytes, Make make) const;
  quant::Weights at(const std::function<const std::byte*(int operand)>& address) const;

  QuantOperands at_;
  std::vector<Slot> slots_;
  quant::Weights sizes_;
  Index q_bytes_;
  std::string where_;
};

}  // namespace athanor

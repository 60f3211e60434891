// How a product of floats with a quantized weight runs: from its panels, expanded as they are read, or as the dense product of the
// weight dequantized once. Panels read fewer bytes; expanding them costs instructions. The choice is by what was measured beside
// the dense product (bench/formats.ts), so that no format is slower than f32.
#pragma once
#include <string>

#include "formats/panels.h"

namespace athanor::quant {

// Whether panels are the faster way for M rows of x.
bool panels_pay(const Weights& weights, Index M);

// By `layout`: "auto" as above, or "panels" or "dense", for tests and measurements; formats without panels are always dense.
bool takes_panels(const Weights& weights, Index M, const std::string& layout);

}  // namespace athanor::quant

// What the two units of attention share on the host.
#pragma once
#include <type_traits>

#include "cuda/kernels/attention/attention.cuh"
#include "device/plugin.h"

namespace athanor::cuda {

const char* refuse_attention(const AttentionShape& shape);
void fill_attention_grad(device::Launchers& launch);

// Of `owned` sets of a block's own rows and `tiles` tiles of the other side.
inline std::size_t attention_shared_bytes(Index depth, int owned, int tiles) {
  return static_cast<std::size_t>(owned * kOwned * depth + tiles * kTile * (depth + 1)) * sizeof(float);
}

// Calls run with the number of columns that a lane of 32 needs.
template <class Run>
device::Result with_width(Index depth, Run run) {
  if (depth <= 32) return run(std::integral_constant<int, 1>{});
  if (depth <= 64) return run(std::integral_constant<int, 2>{});
  if (depth <= 128) return run(std::integral_constant<int, 4>{});
  return run(std::integral_constant<int, 8>{});
}

}  // namespace athanor::cuda

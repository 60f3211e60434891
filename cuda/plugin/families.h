// Every kernel family fills its launchers of the table that the plugin exports (native/device/plugin.h).
#pragma once
#include "device/plugin.h"

namespace athanor::cuda {

void fill_elementwise(device::Launchers& launch);
void fill_indexing(device::Launchers& launch);
void fill_norm(device::Launchers& launch);
void fill_pool(device::Launchers& launch);
void fill_selection(device::Launchers& launch);
void fill_conv(device::Launchers& launch);
void fill_attention(device::Launchers& launch);
void fill_loop(device::Launchers& launch);
void fill_matmul(device::Launchers& launch);
void fill_movement(device::Launchers& launch);
void fill_optim(device::Launchers& launch);
void fill_quant(device::Launchers& launch);
void fill_quant_pack(device::Launchers& launch);
void fill_reduce(device::Launchers& launch);
void fill_softmax(device::Launchers& launch);
void fill_sparse(device::Launchers& launch);
void fill_sparse_tiles(device::Launchers& launch);
void fill_sparse_two_four(device::Launchers& launch);

inline void fill_launchers(device::Launchers& launch) {
  fill_elementwise(launch);
  fill_indexing(launch);
  fill_norm(launch);
  fill_pool(launch);
  fill_selection(launch);
  fill_conv(launch);
  fill_attention(launch);
  fill_loop(launch);
  fill_matmul(launch);
  fill_movement(launch);
  fill_optim(launch);
  fill_quant(launch);
  fill_quant_pack(launch);
  fill_reduce(launch);
  fill_softmax(launch);
  fill_sparse(launch);
  fill_sparse_tiles(launch);
  fill_sparse_two_four(launch);
}

// For families that take all that their struct can say and need no workspace.
template <class Args>
const char* never(const Args&) {
  return nullptr;
}
template <class Args>
Index no_workspace(const Args&) {
  return 0;
}

}  // namespace athanor::cuda

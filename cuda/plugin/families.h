// Every kernel family fills its launchers of the table that the plugin exports (native/device/plugin.h).
#pragma once
#include "device/plugin.h"

namespace athanor::cuda {

void fill_elementwise(device::Launchers& launch);

inline void fill_launchers(device::Launchers& launch) { fill_elementwise(launch); }

}  // namespace athanor::cuda

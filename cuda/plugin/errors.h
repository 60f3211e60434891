// The sentence of a thread's last failed call, and the counts of calls that reached the device.
#pragma once
#include <cstdint>
#include <string>

#include "device/plugin.h"

namespace athanor::cuda {

device::Result set_error(device::Result result, std::string sentence);
const char* last_error();

void count_launch();
void count_copy();
void count_wait();
void counters(std::int64_t* launches, std::int64_t* copies, std::int64_t* waits);

}  // namespace athanor::cuda

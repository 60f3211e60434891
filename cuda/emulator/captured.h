// What stands behind the table's Stream and StepGraph on the emulator.
#pragma once
#include <functional>
#include <vector>

#include "device/plugin.h"

namespace athanor::device {

struct StepGraph {
  std::vector<std::function<Result()>> steps;
};
struct Stream {
  StepGraph* capturing = nullptr;
};

}  // namespace athanor::device

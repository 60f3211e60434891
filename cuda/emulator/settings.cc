// What the environment says about the order of threads and blocks.
#include <cstdlib>
#include <cstring>

#include "cuda/emulator/block.h"

namespace athanor::emulator {
namespace {

Settings settings_of_environment() {
  Settings result;
  if (const char* order = std::getenv("ATHANOR_EMULATOR_ORDER")) {
    if (std::strcmp(order, "reverse") == 0) result.order = ThreadOrder::reverse;
    if (std::strncmp(order, "seed:", 5) == 0) {
      result.order = ThreadOrder::seeded;
      result.seed = std::strtoull(order + 5, nullptr, 10);
    }
  }
  const char* blocks = std::getenv("ATHANOR_EMULATOR_BLOCKS");
  result.reverse_blocks = blocks != nullptr && std::strcmp(blocks, "reverse") == 0;
  return result;
}

}  // namespace

Settings& settings() {
  static Settings current = settings_of_environment();
  return current;
}

}  // namespace athanor::emulator

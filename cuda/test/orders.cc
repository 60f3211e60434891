#include "cuda/test/orders.h"

#include "cuda/emulator/block.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/shadow.h"

namespace athanor::test {

std::vector<const char*> orders() { return {"forward", "reverse, blocks reversed", "seeded"}; }

void use_order(std::size_t number) {
  using emulator::ThreadOrder;
  const emulator::Settings all[] = {
      {ThreadOrder::forward, 1, false}, {ThreadOrder::reverse, 1, true}, {ThreadOrder::seeded, 20261130, false}};
  emulator::settings() = all[number];
}

void use_usual_order() { emulator::settings() = {}; }

std::string unwritten(const void* memory, std::size_t bytes) {
  return emulator::expect_written(memory, bytes, "result") ? "" : emulator::take_fault().sentence;
}

}  // namespace athanor::test

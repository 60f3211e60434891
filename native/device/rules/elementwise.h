// Elementwise programs with their operands' places, for launches and epilogues.
#pragma once
#include "device/rules/rules.h"
#include "graph/body/body.h"

namespace athanor::device {

struct PlacedEpilogue {
  BodyProgram program;
  BodyArgs body;
};

// The raw result of a product has no address: a kernel has it in registers.
inline void fill_operands(EwArgs& args, const BodyArgs& body, const Addresses& at) {
  for (std::size_t i = 0; i < body.slots.size(); ++i) {
    args.operands[i].data = body.slots[i] < 0 ? nullptr : at.at(body.slots[i]);
  }
}

}  // namespace athanor::device

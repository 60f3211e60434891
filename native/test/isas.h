// Runs a check under every instruction set that this build and machine have (ATHANOR_ISA, where set, picks one).
#pragma once
#include <cstdlib>
#include <string>

#include "kernels/dispatch.h"

namespace athanor::test {

template <class F>
void for_each_isa(F check) {
  const char* forced = std::getenv("ATHANOR_ISA");
  for (const std::string& isa : available_isas()) {
    if (forced != nullptr && isa != forced) continue;
    set_isa(isa);
    check(kernel_table());
  }
  set_isa(available_isas().front());
}

}  // namespace athanor::test

// Chooses the kernels for this processor, once, at first use. ATHANOR_ISA=scalar|avx2|avx512|neon overrides the choice; an
// override that is unknown or that the processor lacks falls back to the best one and is told by isa_warning(), never printed.
#pragma once
#include <string>
#include <vector>

#include "kernels/table.h"

namespace athanor {

// The kernels in use. Cheap: one atomic load.
const KernelTable& kernel_table();

// The tables that were built and that this processor can run, best first.
std::vector<std::string> available_isas();

// Switches all later kernel_table() calls. False, and no change, where `name` is not among available_isas(). Programs that are
// running keep what they have; meant for tests and benchmarks.
bool set_isa(const std::string& name);

// Empty, or one sentence saying why ATHANOR_ISA was not followed.
std::string isa_warning();

}  // namespace athanor

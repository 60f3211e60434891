// The kernels for AArch64. Empty where the build does not define ATHANOR_ISA_NEON.
#if defined(ATHANOR_ISA_NEON)
#include "kernels/isa/table.inl.h"
#endif

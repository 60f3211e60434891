// The kernels of the optimizers for AArch64. Empty where the build does not define ATHANOR_ISA_NEON.
#if defined(ATHANOR_ISA_NEON)
#include "kernels/isa/optim_table.inl.h"
#endif

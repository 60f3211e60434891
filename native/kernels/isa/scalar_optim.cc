// The kernels of the optimizers for any processor. Empty where the build does not define ATHANOR_ISA_SCALAR.
#if defined(ATHANOR_ISA_SCALAR)
#include "kernels/isa/optim_table.inl.h"
#endif

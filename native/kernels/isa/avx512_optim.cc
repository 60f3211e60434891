// The kernels of the optimizers for x86-64 with AVX-512. Empty where the build does not define ATHANOR_ISA_AVX512.
#if defined(ATHANOR_ISA_AVX512)
#include "kernels/isa/optim_table.inl.h"
#endif

// The kernels for any processor. Empty where the build does not define ATHANOR_ISA_SCALAR.
#if defined(ATHANOR_ISA_SCALAR)
#include "kernels/isa/table.inl.h"
#endif

// The kernels of quantized weights for any processor. Empty where the build does not define ATHANOR_ISA_SCALAR.
#if defined(ATHANOR_ISA_SCALAR)
#include "kernels/isa/quant_table.inl.h"
#endif

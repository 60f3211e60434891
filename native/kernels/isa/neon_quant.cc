// The kernels of quantized weights for AArch64. Empty where the build does not define ATHANOR_ISA_NEON.
#if defined(ATHANOR_ISA_NEON)
#include "kernels/isa/quant_table.inl.h"
#endif

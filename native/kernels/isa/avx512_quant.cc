// The kernels of quantized weights for x86-64 with AVX-512. Empty where the build does not define ATHANOR_ISA_AVX512.
#if defined(ATHANOR_ISA_AVX512)
#include "kernels/isa/quant_table.inl.h"
#endif

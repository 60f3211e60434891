// The kernels for x86-64 with AVX-512 F, BW, DQ, VL, VNNI and BF16. Empty where the build does not define ATHANOR_ISA_AVX512.
#if defined(ATHANOR_ISA_AVX512)
#include "kernels/isa/table.inl.h"
#endif

// Names the namespace of the instruction set that this unit is compiled for. Every *.inl.h under kernels/ and simd/ puts its
// code into it, so that the linker never mixes code of two instruction sets.
#pragma once

#if defined(ATHANOR_ISA_AVX512)
#define ATHANOR_ISA_NAMESPACE avx512
#define ATHANOR_ISA_NAME "avx512"
#elif defined(ATHANOR_ISA_AVX2)
#define ATHANOR_ISA_NAMESPACE avx2
#define ATHANOR_ISA_NAME "avx2"
#elif defined(ATHANOR_ISA_NEON)
#define ATHANOR_ISA_NAMESPACE neon
#define ATHANOR_ISA_NAME "neon"
#elif defined(ATHANOR_ISA_LANE)
#define ATHANOR_ISA_NAMESPACE lane
#define ATHANOR_ISA_NAME "lane"
#else
#define ATHANOR_ISA_NAMESPACE scalar
#define ATHANOR_ISA_NAME "scalar"
#endif

// What the lanes of a warp do together, after the PTX manual: shuffles, votes, ldmatrix and mma with their fragment layouts.
#pragma once
#include <cstdint>

namespace athanor::emulator {

// The bits that lane `source` of the mask gave. `name` for the fault's sentence.
std::uint64_t shuffle(std::uint32_t mask, std::uint64_t bits, int source, const char* name);
std::uint32_t ballot(std::uint32_t mask, bool predicate);
void sync_warp(std::uint32_t mask);

// ldmatrix: four (or `matrices`) 8 × 8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
void load_matrices(std::uint32_t* fragment, const void* row, int matrices, bool transposed);

enum class MmaKind : std::uint8_t { bf16_16x8x16, f16_16x8x16, tf32_16x8x8, s8_16x8x32, s8u8_16x8x32 };
// d += a b, d of four floats, or of four s32 for products of integers.
void mma(MmaKind kind, void* d, const std::uint32_t* a, const std::uint32_t* b);
// m16n8k32 of bf16 with two in four of a row of A kept: b of four words, `kept` of lanes l % 4 < 2 (sparsity selector 0).
void mma_sparse(float* d, const std::uint32_t* a, const std::uint32_t* b, std::uint32_t kept);

// Atomics on global or shared memory: the value before.
float atomic_add(float* p, float x);
double atomic_add(double* p, double x);
std::uint32_t atomic_add(std::uint32_t* p, std::uint32_t x);
std::int32_t atomic_add(std::int32_t* p, std::int32_t x);
unsigned long long atomic_add(unsigned long long* p, unsigned long long x);
std::uint32_t atomic_min(std::uint32_t* p, std::uint32_t x);
std::int32_t atomic_min(std::int32_t* p, std::int32_t x);
unsigned long long atomic_min(unsigned long long* p, unsigned long long x);
std::uint32_t atomic_max(std::uint32_t* p, std::uint32_t x);
std::int32_t atomic_max(std::int32_t* p, std::int32_t x);
unsigned long long atomic_max(unsigned long long* p, unsigned long long x);
std::uint32_t atomic_cas(std::uint32_t* p, std::uint32_t expected, std::uint32_t x);
unsigned long long atomic_cas(unsigned long long* p, unsigned long long expected, unsigned long long x);

}  // namespace athanor::emulator

// Strips of uniform random numbers: the streams of base/philox.h, a group of 64 elements at a time.
#pragma once
#include "base/philox.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// The 32 random bits of the 64 elements from `first`, a multiple of 64: put(element, register) for every register of them.
template <class Put>
ATHANOR_INLINE void philox_group(const PhiloxStream& stream, Index first, Put put) {
  const std::uint64_t block = static_cast<std::uint64_t>(first) / 4;
  const auto word = [](std::uint32_t x) { return IVec::broadcast(static_cast<std::int32_t>(x)); };
  for (int j = 0; j < 16; j += kLanes) {
    // The block's low word cannot carry: it starts at a multiple of 16.
    IVec c0 = word(static_cast<std::uint32_t>(block) + static_cast<std::uint32_t>(j)) + IVec::iota();
    IVec c1 = word(static_cast<std::uint32_t>(block >> 32)), c2 = word(stream.stream), c3 = word(stream.step);
    std::uint32_t k0 = static_cast<std::uint32_t>(stream.seed), k1 = static_cast<std::uint32_t>(stream.seed >> 32);
    const IVec m0 = word(0xD2511F53u), m1 = word(0xCD9E8D57u);
    for (int round = 0; round < 10; ++round) {
      const IVec high0 = mulhi_u32(m0, c0), low0 = m0 * c0, high1 = mulhi_u32(m1, c2), low1 = m1 * c2;
      c0 = high1 ^ c1 ^ word(k0);
      c1 = low1;
      c2 = high0 ^ c3 ^ word(k1);
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    put(j, c0);
    put(16 + j, c1);
    put(32 + j, c2);
    put(48 + j, c3);
  }
}

inline void uniform_group(const PhiloxStream& stream, Index first, float* d) {
  const Vec scale = Vec::broadcast(0x1p-24f);
  philox_group(stream, first,
               [&](int at, IVec bits) ATHANOR_INLINED { (to_float(shr<8>(bits)) * scale).store(d + at); });
}

template <class T>
void uniform_strip(const PhiloxStream& stream, Index first, T* d, Index n) {
  alignas(64) float group[64];
  for (Index i = 0; i < n;) {
    const Index skip = (first + i) % 64;
    uniform_group(stream, first + i - skip, group);
    for (Index j = skip; j < 64 && i < n; ++j, ++i) d[i] = static_cast<T>(group[j]);
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE

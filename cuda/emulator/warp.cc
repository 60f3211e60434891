#include "cuda/emulator/warp.h"

#include <cstring>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/shadow.h"

namespace athanor::emulator {
namespace {

struct ShuffleSlot {
  std::uint64_t bits;
  int source;
  std::uint64_t result;
  bool missing;
};

void complete_shuffle(WarpCall& call) {
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    if ((call.present >> lane & 1u) == 0) continue;
    auto& slot = *static_cast<ShuffleSlot*>(call.slots[lane]);
    const auto source = static_cast<std::uint32_t>(slot.source);
    slot.missing = source >= kWarp || (call.present >> source & 1u) == 0;
    if (!slot.missing) slot.result = static_cast<const ShuffleSlot*>(call.slots[source])->bits;
  }
}

struct BallotSlot {
  bool predicate;
  std::uint32_t result;
};

void complete_ballot(WarpCall& call) {
  std::uint32_t votes = 0;
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    if (call.present >> lane & 1u)
      votes |= std::uint32_t{static_cast<BallotSlot*>(call.slots[lane])->predicate} << lane;
  }
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    if (call.present >> lane & 1u) static_cast<BallotSlot*>(call.slots[lane])->result = votes;
  }
}

void complete_sync(WarpCall& call) { ++clock.warp_epoch[call.warp]; }

void require_whole(const WarpCall& call, const char* name) {
  if (call.present != ~0u) raise(Fault::warp_mask, std::string(name) + ": some lanes of the warp have ended");
}

struct MatrixSlot {
  std::uint32_t* fragment;
  const void* row;
  int matrices;
  bool transposed;
};

std::uint16_t element(const WarpCall& call, int matrix, std::uint32_t row, std::uint32_t col) {
  const auto& giver = *static_cast<const MatrixSlot*>(call.slots[static_cast<std::uint32_t>(matrix) * 8 + row]);
  std::uint16_t value;
  std::memcpy(&value, static_cast<const std::uint16_t*>(giver.row) + col, sizeof value);
  return value;
}

void complete_matrices(WarpCall& call) {
  require_whole(call, "ldmatrix");
  const auto& any = *static_cast<const MatrixSlot*>(call.slots[0]);
  for (std::uint32_t lane = 0; lane < static_cast<std::uint32_t>(any.matrices) * 8; ++lane) {
    const auto& slot = *static_cast<const MatrixSlot*>(call.slots[lane]);
    shadow_access_as(call.warp * kWarp + lane, slot.row, 16, Access::read, true);
  }
  std::uint32_t results[kWarp][4];
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    const std::uint32_t group = lane / 4, pair = lane % 4 * 2;
    for (int m = 0; m < any.matrices; ++m) {
      const std::uint32_t low = any.transposed ? element(call, m, pair, group) : element(call, m, group, pair);
      const std::uint32_t high = any.transposed ? element(call, m, pair + 1, group) : element(call, m, group, pair + 1);
      results[lane][m] = low | high << 16;
    }
  }
  for (std::uint32_t lane = 0; lane < kWarp; ++lane)
    std::memcpy(static_cast<MatrixSlot*>(call.slots[lane])->fragment, results[lane],
                sizeof(std::uint32_t) * static_cast<std::size_t>(any.matrices));
}

struct MmaSlot {
  void* d;
  const std::uint32_t *a, *b;
};

float of_bits(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

float of_f16(std::uint32_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 1023u;
  if (exponent == 31) return of_bits(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return of_bits(sign | (exponent + 112) << 23 | fraction << 13);
  const float value = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -value : value;
}

template <MmaKind kKind>
float half_of(std::uint32_t pair, int upper) {
  const std::uint32_t bits = upper != 0 ? pair >> 16 : pair & 0xffffu;
  if constexpr (kKind == MmaKind::f16_16x8x16) return of_f16(bits);
  return of_bits(bits << 16);
}

// Products and their sum in double, one rounding: the hardware's order of additions is not told.
template <MmaKind kKind>
void complete_mma(WarpCall& call) {
  require_whole(call, "mma");
  constexpr int kDepth = kKind == MmaKind::tf32_16x8x8 ? 8 : 16;
  float a[16][kDepth], b[kDepth][8];
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    const auto& slot = *static_cast<const MmaSlot*>(call.slots[lane]);
    const std::uint32_t group = lane / 4, t = lane % 4;
    if constexpr (kKind == MmaKind::tf32_16x8x8) {
      constexpr std::uint32_t kMask = 0xffffe000u;  // the low 13 bits are not looked at
      for (std::uint32_t i = 0; i < 4; ++i) a[group + i % 2 * 8][t + i / 2 * 4] = of_bits(slot.a[i] & kMask);
      for (std::uint32_t i = 0; i < 2; ++i) b[t + i * 4][group] = of_bits(slot.b[i] & kMask);
    } else {
      for (std::uint32_t i = 0; i < 8; ++i)
        a[group + i / 2 % 2 * 8][t * 2 + i % 2 + i / 4 * 8] = half_of<kKind>(slot.a[i / 2], i % 2);
      for (std::uint32_t i = 0; i < 4; ++i) b[t * 2 + i % 2 + i / 2 * 8][group] = half_of<kKind>(slot.b[i / 2], i % 2);
    }
  }
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    float* d = static_cast<float*>(static_cast<const MmaSlot*>(call.slots[lane])->d);
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint32_t row = lane / 4 + i / 2 * 8, col = lane % 4 * 2 + i % 2;
      double sum = d[i];
      for (int k = 0; k < kDepth; ++k) sum += static_cast<double>(a[row][k]) * static_cast<double>(b[k][col]);
      d[i] = static_cast<float>(sum);
    }
  }
}

// Whole numbers of 8 bits; sums wrap as the hardware's do without .satfinite.
template <bool kUnsignedB>
void complete_mma_s8(WarpCall& call) {
  require_whole(call, "mma");
  constexpr int kDepth = 32;
  std::int32_t a[16][kDepth], b[8][kDepth];
  const auto byte = [](std::uint32_t word, std::uint32_t i, bool is_unsigned) -> std::int32_t {
    const std::uint32_t value = word >> (8 * i) & 0xffu;
    return is_unsigned ? static_cast<std::int32_t>(value) : static_cast<std::int8_t>(value);
  };
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    const auto& slot = *static_cast<const MmaSlot*>(call.slots[lane]);
    const std::uint32_t group = lane / 4, t = lane % 4;
    for (std::uint32_t i = 0; i < 16; ++i)
      a[group + i / 4 % 2 * 8][t * 4 + i % 4 + i / 8 * 16] = byte(slot.a[i / 4], i % 4, false);
    for (std::uint32_t i = 0; i < 8; ++i) b[group][t * 4 + i % 4 + i / 4 * 16] = byte(slot.b[i / 4], i % 4, kUnsignedB);
  }
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    auto* d = static_cast<std::int32_t*>(static_cast<const MmaSlot*>(call.slots[lane])->d);
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint32_t row = lane / 4 + i / 2 * 8, col = lane % 4 * 2 + i % 2;
      std::int32_t sum = 0;
      for (int k = 0; k < kDepth; ++k) sum += a[row][k] * b[col][k];
      d[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(d[i]) + static_cast<std::uint32_t>(sum));
    }
  }
}

struct SparseMmaSlot {
  float* d;
  const std::uint32_t *a, *b;
  std::uint32_t kept;
};

// The kept elements of a lane lie as in a dense fragment of half the columns; those of four columns come in a pair whose places must rise.
void complete_mma_sparse(WarpCall& call) {
  require_whole(call, "mma.sp");
  constexpr std::uint32_t kDepth = 32;
  float a[16][kDepth] = {}, b[kDepth][8];
  bool is_kept[16][kDepth] = {};
  const auto slot = [&](std::uint32_t lane) -> const SparseMmaSlot& {
    return *static_cast<const SparseMmaSlot*>(call.slots[lane]);
  };
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    const std::uint32_t group = lane / 4, t = lane % 4;
    for (std::uint32_t word = 0; word < 4; ++word) {
      const std::uint32_t row = group + word % 2 * 8, four = t + word / 2 * 4;  // of 8 fours in a row
      const std::uint32_t told = slot(group * 4 + four / 4).kept >> (word % 2 * 16 + four % 4 * 4) & 15u;
      const std::uint32_t first = told & 3u, second = told >> 2;
      if (first >= second) raise(Fault::warp_mask, "mma.sp: the places of two kept elements do not rise");
      a[row][four * 4 + first] = half_of<MmaKind::bf16_16x8x16>(slot(lane).a[word], 0);
      a[row][four * 4 + second] = half_of<MmaKind::bf16_16x8x16>(slot(lane).a[word], 1);
      is_kept[row][four * 4 + first] = is_kept[row][four * 4 + second] = true;
    }
    for (std::uint32_t i = 0; i < 8; ++i)
      b[t * 2 + i % 2 + i / 2 * 8][group] =
          half_of<MmaKind::bf16_16x8x16>(slot(lane).b[i / 2], static_cast<int>(i % 2));
  }
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    float* d = slot(lane).d;
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint32_t row = lane / 4 + i / 2 * 8, col = lane % 4 * 2 + i % 2;
      double sum = d[i];
      for (std::uint32_t k = 0; k < kDepth; ++k)
        if (is_kept[row][k]) sum += static_cast<double>(a[row][k]) * static_cast<double>(b[k][col]);
      d[i] = static_cast<float>(sum);
    }
  }
}

template <class T, class F>
T atomically(T* p, F f) {
  shadow_access(p, sizeof(T), Access::atomic, true);
  const T before = *p;
  *p = f(before);
  return before;
}

}  // namespace

std::uint64_t shuffle(std::uint32_t mask, std::uint64_t bits, int source, const char* name) {
  ShuffleSlot slot{bits, source, 0, false};
  warp_operation(mask, &slot, complete_shuffle, name);
  if (slot.missing)
    raise(Fault::warp_mask,
          std::string(name) + " reads from lane " + std::to_string(source) + ", which is not in its mask or has ended");
  return slot.result;
}

std::uint32_t ballot(std::uint32_t mask, bool predicate) {
  BallotSlot slot{predicate, 0};
  warp_operation(mask, &slot, complete_ballot, "a vote");
  return slot.result;
}

void sync_warp(std::uint32_t mask) { warp_operation(mask, nullptr, complete_sync, "__syncwarp"); }

void load_matrices(std::uint32_t* fragment, const void* row, int matrices, bool transposed) {
  MatrixSlot slot{fragment, row, matrices, transposed};
  warp_operation(~0u, &slot, complete_matrices, "ldmatrix");
}

void mma(MmaKind kind, void* d, const std::uint32_t* a, const std::uint32_t* b) {
  MmaSlot slot{d, a, b};
  switch (kind) {
    case MmaKind::bf16_16x8x16: return warp_operation(~0u, &slot, complete_mma<MmaKind::bf16_16x8x16>, "mma");
    case MmaKind::f16_16x8x16: return warp_operation(~0u, &slot, complete_mma<MmaKind::f16_16x8x16>, "mma");
    case MmaKind::tf32_16x8x8: return warp_operation(~0u, &slot, complete_mma<MmaKind::tf32_16x8x8>, "mma");
    case MmaKind::s8_16x8x32: return warp_operation(~0u, &slot, complete_mma_s8<false>, "mma");
    case MmaKind::s8u8_16x8x32: return warp_operation(~0u, &slot, complete_mma_s8<true>, "mma");
  }
}

void mma_sparse(float* d, const std::uint32_t* a, const std::uint32_t* b, std::uint32_t kept) {
  SparseMmaSlot slot{d, a, b, kept};
  warp_operation(~0u, &slot, complete_mma_sparse, "mma.sp");
}

#define ATOMICS(name, T, expression)                            \
  T name(T* p, T x) {                                           \
    return atomically(p, [x](T before) { return expression; }); \
  }
ATOMICS(atomic_add, float, before + x)
ATOMICS(atomic_add, double, before + x)
ATOMICS(atomic_add, std::uint32_t, before + x)
ATOMICS(atomic_add, std::int32_t,
        static_cast<std::int32_t>(static_cast<std::uint32_t>(before) + static_cast<std::uint32_t>(x)))
ATOMICS(atomic_add, unsigned long long, before + x)
ATOMICS(atomic_min, std::uint32_t, x < before ? x : before)
ATOMICS(atomic_min, std::int32_t, x < before ? x : before)
ATOMICS(atomic_min, unsigned long long, x < before ? x : before)
ATOMICS(atomic_max, std::uint32_t, x > before ? x : before)
ATOMICS(atomic_max, std::int32_t, x > before ? x : before)
ATOMICS(atomic_max, unsigned long long, x > before ? x : before)
#undef ATOMICS

std::uint32_t atomic_cas(std::uint32_t* p, std::uint32_t expected, std::uint32_t x) {
  return atomically(p, [=](std::uint32_t before) { return before == expected ? x : before; });
}
unsigned long long atomic_cas(unsigned long long* p, unsigned long long expected, unsigned long long x) {
  return atomically(p, [=](unsigned long long before) { return before == expected ? x : before; });
}

}  // namespace athanor::emulator

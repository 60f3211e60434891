#include "kernels/reduce/top_mask.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace athanor::kernels {
namespace {

constexpr Index kShort = 32;          // up to here width² comparisons cost less than three histograms
constexpr Index kElements = 1 << 15;  // of short rows in a task

// Numbers in the order of the floats; integers, so that subnormal values count although programs flush them.
std::uint32_t key_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (bits == 0x80000000U) bits = 0;
  return bits >> 31 ? ~bits : bits | 0x80000000U;
}

bool is_nan(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7fffffffU) > 0x7f800000U;
}

void mask_short(const float* x, std::uint8_t* y, Index width, Index k) {
  std::uint32_t keys[kShort];
  for (Index i = 0; i < width; ++i) keys[i] = key_of(x[i]);
  for (Index i = 0; i < width; ++i) {
    Index before = 0;
    for (Index j = 0; j < width; ++j) before += keys[j] > keys[i] || (keys[j] == keys[i] && j < i);
    y[i] = before < k;
  }
}

struct Threshold {
  std::uint32_t key;  // of the k-th largest value
  Index ties;         // how many values of this key are among the k largest
};

// Bits 31 … 21, then 20 … 10, then 9 … 0: each pass counts the values that agree with what is known of the key.
Threshold kth_largest(const float* x, Index width, Index k) {
  constexpr struct {
    int shift;
    std::uint32_t bins;
  } kPasses[] = {{21, 2048}, {10, 2048}, {0, 1024}};
  std::uint32_t known = 0, known_bits = 0;
  for (const auto& [shift, bins] : kPasses) {
    Index counts[2048] = {};
    for (Index i = 0; i < width; ++i) {
      const std::uint32_t key = key_of(x[i]);
      if ((key & known_bits) == known) ++counts[key >> shift & (bins - 1)];
    }
    std::uint32_t bin = bins - 1;
    for (; counts[bin] < k; --bin) k -= counts[bin];
    known |= bin << shift;
    known_bits |= (bins - 1) << shift;
  }
  return {known, k};
}

void mask_long(const float* x, std::uint8_t* y, Index width, Index k) {
  if (k == 0 || k == width) {
    std::memset(y, k == 0 ? 0 : 1, static_cast<std::size_t>(width));
    return;
  }
  Threshold threshold = kth_largest(x, width, k);
  for (Index i = 0; i < width; ++i) {
    const std::uint32_t key = key_of(x[i]);
    const bool tied = key == threshold.key && threshold.ties > 0;
    threshold.ties -= tied;
    y[i] = key > threshold.key || tied;
  }
}

}  // namespace

Index top_mask(const float* x, std::uint8_t* y, Index rows, Index width, Index k, Parallel& parallel) {
  if (rows == 0 || width == 0) return -1;
  const Index rows_a_task = std::max<Index>(1, kElements / width);
  const Index tasks = (rows + rows_a_task - 1) / rows_a_task;
  std::atomic<Index> bad{-1};
  parallel.run(static_cast<int>(tasks), [&](int task, int) {
    const Index begin = task * rows_a_task, end = std::min(rows, begin + rows_a_task);
    for (Index i = begin * width; i < end * width; ++i) {
      if (!is_nan(x[i])) continue;
      bad.store(i);
      return;
    }
    for (Index row = begin; row < end; ++row) {
      (width <= kShort ? mask_short : mask_long)(x + row * width, y + row * width, width, k);
    }
  });
  return bad.load();
}

}  // namespace athanor::kernels

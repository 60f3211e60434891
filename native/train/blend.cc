#include "train/blend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <type_traits>

#include "base/error.h"
#include "base/philox.h"

namespace athanor {
namespace {

constexpr std::uint32_t kStream = 0xA06'0010;

PhiloxBlock drawn(const Blend& how, std::uint64_t index, std::uint32_t stream) {
  return philox({{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), stream,
                  static_cast<std::uint32_t>(how.epoch)}},
                how.seed);
}

// In (0, 1).
double unit(std::uint32_t high, std::uint32_t low) {
  return ((static_cast<double>(high >> 5) * 0x1p26 + static_cast<double>(low >> 6)) + 0.5) * 0x1p-53;
}

Index below(std::uint32_t word, Index n) {
  return static_cast<Index>((std::uint64_t{word} * static_cast<std::uint64_t>(n)) >> 32);
}

// A box of the other sample's, and the share that stays.
struct Box {
  Index top, bottom, left, right;
  double stays;
};

Box box_of(const Blend& how, double lambda, std::uint32_t row, std::uint32_t column) {
  const double r = 0.5 * std::sqrt(1 - lambda);
  const auto half_height = static_cast<Index>(r * static_cast<double>(how.H));
  const auto half_width = static_cast<Index>(r * static_cast<double>(how.W));
  const Index y = below(row, how.H), x = below(column, how.W);
  Box box{std::max<Index>(y - half_height, 0), std::min(y + half_height, how.H), std::max<Index>(x - half_width, 0),
          std::min(x + half_width, how.W), 1};
  box.stays =
      1 - static_cast<double>((box.bottom - box.top) * (box.right - box.left)) / static_cast<double>(how.H * how.W);
  return box;
}

template <class T>
void mix(const T* a, const T* b, T* to, Index count, double lambda) {
  for (Index i = 0; i < count; ++i) {
    const double value = lambda * static_cast<double>(a[i]) + (1 - lambda) * static_cast<double>(b[i]);
    to[i] = static_cast<T>(std::is_integral_v<T> ? std::floor(value + 0.5) : value);
  }
}

template <class T>
void blend_all(const Blend& how, const T* x, const float* y, T* new_x, float* new_y, Parallel& parallel) {
  const Index each = how.C * how.H * how.W, n = how.rows;
  const Index shift = n > 1 ? 1 + below(drawn(how, how.first, kStream + 2).words[0], n - 1) : 0;
  parallel.run(static_cast<int>(n), [&](int task, int) {
    const Index row = task, other = (row + shift) % n;
    const T *a = x + row * each, *b = x + other * each;
    T* to = new_x + row * each;
    const std::uint64_t index = how.first + static_cast<std::uint64_t>(row);
    const PhiloxBlock p = drawn(how, index, kStream), q = drawn(how, index, kStream + 1);
    const bool is_blended = shift > 0 && static_cast<double>(q.words[0]) * 0x1p-32 < how.share;
    double lambda =
        is_blended ? symmetric_beta(how.alpha, unit(p.words[0], p.words[1]), unit(p.words[2], p.words[3])) : 1;
    if (!is_blended || how.is_cut) std::memcpy(to, a, static_cast<std::size_t>(each) * sizeof(T));
    if (is_blended && how.is_cut) {
      const Box box = box_of(how, lambda, q.words[1], q.words[2]);
      lambda = box.stays;
      for (Index c = 0; c < how.C; ++c) {
        for (Index i = box.top; i < box.bottom; ++i) {
          const Index at = (c * how.H + i) * how.W;
          std::copy(b + at + box.left, b + at + box.right, to + at + box.left);
        }
      }
    } else if (is_blended) {
      mix(a, b, to, each, lambda);
    }
    mix(y + row * how.targets, y + other * how.targets, new_y + row * how.targets, how.targets, lambda);
  });
}

}  // namespace

double symmetric_beta(double alpha, double u, double v) {
  const double w = std::pow(u, -1 / alpha) - 1, c = std::cos(2 * std::numbers::pi * v);
  if (!std::isfinite(w)) return c > 0 ? 1 : 0;
  return 0.5 + 0.5 * c * std::sqrt(w / (1 + w * c * c));
}

void blend_samples(const Blend& how, const std::byte* x, const float* y, std::byte* new_x, float* new_y,
                   Parallel& parallel) {
  switch (how.dtype) {
    case DType::u8:
      return blend_all(how, reinterpret_cast<const std::uint8_t*>(x), y, reinterpret_cast<std::uint8_t*>(new_x), new_y,
                       parallel);
    case DType::f32:
      return blend_all(how, reinterpret_cast<const float*>(x), y, reinterpret_cast<float*>(new_x), new_y, parallel);
    case DType::f64:
    case DType::i32:
    case DType::boolean:
    case DType::bf16: break;
  }
  throw Error(Code::dtype, "data.mixup: samples are u8 or f32");
}

}  // namespace athanor

// Strips between memory and registers: conversion of element types, and gathering and scattering over a loop nest.
#pragma once
#include "base/dtype.h"
#include "kernels/elementwise/elementwise.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct Boolean {
  std::uint8_t byte;
};

template <class T>
struct Tag {
  using Type = T;
};

// Calls f(Tag<T>) for the memory type of dtype.
template <class F>
ATHANOR_INLINE void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f(Tag<float>{});
    case DType::f64: return f(Tag<double>{});
    case DType::i32: return f(Tag<std::int32_t>{});
    case DType::u8: return f(Tag<std::uint8_t>{});
    case DType::boolean: return f(Tag<Boolean>{});
    case DType::bf16: return f(Tag<Bf16>{});
  }
}

template <class T, class S>
inline constexpr bool kSame = false;
template <class T>
inline constexpr bool kSame<T, T> = true;

ATHANOR_INLINE std::int32_t saturate_i32(double x) {
  if (!(x == x)) return 0;
  if (x <= -2147483648.0) return INT32_MIN;
  return x >= 2147483647.0 ? INT32_MAX : static_cast<std::int32_t>(x);
}

// One element, from memory type S to compute type T.
template <class T, class S>
ATHANOR_INLINE T loaded(S x) {
  if constexpr (kSame<S, Boolean>) {
    return static_cast<T>(x.byte != 0);
  } else if constexpr (kSame<S, Bf16>) {
    return loaded<T>(to_f32(x));
  } else if constexpr (kSame<T, std::int32_t> && (kSame<S, float> || kSame<S, double>)) {
    return saturate_i32(static_cast<double>(x));
  } else {
    return static_cast<T>(x);
  }
}

// One element, from compute type T to memory type S.
template <class S, class T>
ATHANOR_INLINE S stored(T x) {
  if constexpr (kSame<S, Boolean>) {
    return Boolean{static_cast<std::uint8_t>(x != T{0})};
  } else if constexpr (kSame<S, Bf16>) {
    return to_bf16(static_cast<float>(x));
  } else if constexpr (kSame<S, std::uint8_t> && !kSame<T, std::int32_t>) {
    return static_cast<std::uint8_t>(x >= T{255} ? T{255} : x > T{0} ? x : T{0});
  } else if constexpr (kSame<S, std::int32_t> && !kSame<T, std::int32_t>) {
    return saturate_i32(static_cast<double>(x));
  } else {
    return static_cast<S>(x);
  }
}

template <class T, class S>
inline constexpr bool kVectorConversion = kSame<T, float> && !kSame<S, double> && !kSame<S, Boolean>;

template <class T, class S>
void load_run(T* d, const S* s, Index n) {
  Index i = 0;
  if constexpr (kVectorConversion<T, S>) {
    for (; i + kLanes <= n; i += kLanes) load_as(s + i).store(d + i);
  }
  for (; i < n; ++i) d[i] = loaded<T>(s[i]);
}

template <class T, class S>
void store_run(S* d, const T* s, Index n) {
  Index i = 0;
  if constexpr (kVectorConversion<T, S>) {
    for (; i + kLanes <= n; i += kLanes) store_as(d + i, Vec::load(s + i));
  }
  for (; i < n; ++i) d[i] = stored<S>(s[i]);
}

template <class T>
void fill(T* d, T value, Index n) {
  for (Index i = 0; i < n; ++i) d[i] = value;
}

struct Nest {
  int rank;
  const Index* shape;
};

// Calls run(offset, at, n) for the runs of the innermost dimension that make up the elements [begin, begin + n): `offset` in
// elements of the operand, `at` from begin.
template <class F>
ATHANOR_INLINE void for_each_run(const Nest& nest, const Index* strides, Index begin, Index n, F run) {
  Index index[kMaxRank];
  Index rest = begin, offset = 0;
  for (int d = nest.rank - 1; d >= 0; --d) {
    index[d] = rest % nest.shape[d];
    rest /= nest.shape[d];
    offset += index[d] * strides[d];
  }
  const int last = nest.rank - 1;
  for (Index at = 0; at < n;) {
    const Index left = nest.shape[last] - index[last];
    const Index count = left < n - at ? left : n - at;
    run(offset, at, count);
    at += count;
    offset -= index[last] * strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      offset += strides[d];
      if (++index[d] < nest.shape[d]) break;
      offset -= index[d] * strides[d];
      index[d] = 0;
    }
  }
}

template <class T>
void gather(T* d, const void* data, DType dtype, const Nest& nest, const Index* strides, Index begin, Index n) {
  with_type(dtype, [&](auto tag) {
    using S = typename decltype(tag)::Type;
    const S* source = static_cast<const S*>(data);
    const Index stride = strides[nest.rank - 1];
    for_each_run(nest, strides, begin, n, [&](Index offset, Index at, Index count) {
      if (stride == 1) return load_run(d + at, source + offset, count);
      if (stride == 0) return fill(d + at, loaded<T>(source[offset]), count);
      for (Index i = 0; i < count; ++i) d[at + i] = loaded<T>(source[offset + i * stride]);
    });
  });
}

template <class T>
void scatter(const T* s, void* data, DType dtype, const Nest& nest, const Index* strides, Index begin, Index n) {
  with_type(dtype, [&](auto tag) {
    using S = typename decltype(tag)::Type;
    S* target = static_cast<S*>(data);
    const Index stride = strides[nest.rank - 1];
    for_each_run(nest, strides, begin, n, [&](Index offset, Index at, Index count) {
      if (stride == 1) return store_run(target + offset, s + at, count);
      for (Index i = 0; i < count; ++i) target[offset + i * stride] = stored<S>(s[at + i]);
    });
  });
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE

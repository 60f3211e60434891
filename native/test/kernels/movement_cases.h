// What tests of data movement share: shapes and views drawn at random, outputs with guards, and one comparison of a kernel with 1, 2
// and 7 workers on every instruction set of the machine.
#pragma once
#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor::kernels {

using Shape = std::vector<Index>;
using Bytes = std::vector<std::uint8_t>;
constexpr Index kGuard = 64;

inline std::mt19937 random_bits(1);

inline Index pick(Index low, Index high) { return low + Index(random_bits() % std::uint64_t(high - low + 1)); }

inline Index count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), Index{1}, std::multiplies<>());
}

inline Shape packed(const Shape& shape) {
  Shape stride(shape.size(), 1);
  for (int d = int(shape.size()) - 2; d >= 0; --d) stride[d] = stride[d + 1] * shape[d + 1];
  return stride;
}

// Calls f(coordinates) for every element, the last coordinate fastest.
inline void every(const Shape& shape, const std::function<void(const Shape&)>& f) {
  Shape at(shape.size(), 0);
  for (Index n = count(shape); n > 0; --n) {
    f(at);
    for (int d = int(shape.size()) - 1; d >= 0 && ++at[d] == shape[d]; --d) at[d] = 0;
  }
}

inline Index dot(const Shape& a, const Shape& b) { return std::inner_product(a.begin(), a.end(), b.begin(), Index{0}); }

inline Bytes random_bytes(Index n) {
  Bytes bytes(n);
  for (auto& b : bytes) b = std::uint8_t(random_bits());
  return bytes;
}

// What a kernel wrote, with the guards before and after it.
struct Output {
  Bytes bytes;
  explicit Output(Index n) : bytes(n + 2 * kGuard, 0xA5) {}
  std::uint8_t* data() { return bytes.data() + kGuard; }
  template <class T>
  const T* as() {
    return reinterpret_cast<const T*>(data());
  }
};

template <class T>
void store(Output& to, const std::vector<T>& values) {
  std::copy_n(reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T), to.data());
}

// Runs the kernel on every ISA with 1, 2 and 7 workers and compares everything, guards included, with `expected`.
inline void compare(const std::string& what, Output expected, Output start,
                    const std::function<void(const MovementKernels&, void* y, Parallel&)>& kernel) {
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    for (const int workers : {1, 2, 7}) {
      Output y = start;
      test::Threads threads(workers);
      kernel(kernel_table().movement, y.data(), threads);
      CHECK_MESSAGE(y.bytes == expected.bytes,
                    what + " differs on " + isa + " with " + std::to_string(workers) + " workers");
    }
  }
  set_isa(available_isas().front());
}

inline void put(Index* to, const Shape& from) { std::copy(from.begin(), from.end(), to); }

}  // namespace athanor::kernels

// Weights and memory that the benches of sparse products share.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "sparse/bitmap.h"

namespace athanor::bench {

inline double processor() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Random {
  std::uint64_t state = 1;
  double next() {  // in [0, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 33) * 0x1p-31;
  }
  float centred() { return static_cast<float>(next() - 0.5); }
};

class Floats {
 public:
  explicit Floats(Index count)
      : data_(static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>((count * 4 + 127) / 64 * 64)))) {
    Random random;
    for (Index i = 0; i < count; ++i) data_[i] = random.centred();
  }
  ~Floats() { std::free(data_); }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  operator float*() const { return data_; }

 private:
  float* data_;
};

// A weight [N, K] whose elements are kept in blocks of R × C, or of which `of_4` of every four neighbours are.
struct Weight {
  Index N, K;
  double density;
  int R = 1, C = 1, of_4 = 0;
  std::vector<std::uint8_t> bits{};
  std::vector<float> values{}, dense{};

  void make() {
    Random random;
    std::vector<bool> mask(static_cast<std::size_t>(N * K));
    for (Index n = 0; n < N; n += R)
      for (Index k = 0; k < K; k += C) {
        if (of_4 > 0 || random.next() >= density) continue;
        for (Index r = n; r < std::min(N, n + R); ++r)
          for (Index c = k; c < std::min(K, k + C); ++c) mask[static_cast<std::size_t>(r * K + c)] = true;
      }
    for (std::size_t i = 0; of_4 > 0 && i < mask.size(); i += 4)
      for (int left = of_4; left > 0;) {
        const std::size_t at = i + static_cast<std::size_t>(random.next() * 4);
        if (!mask[at]) mask[at] = true, --left;
      }
    const Index row_bytes = sparse::bitmap_row_bytes(K);
    bits.assign(static_cast<std::size_t>(N * row_bytes), 0);
    dense.assign(mask.size(), 0);
    for (Index i = 0; i < N * K; ++i) {
      if (!mask[static_cast<std::size_t>(i)]) continue;
      bits[static_cast<std::size_t>(i / K * row_bytes + i % K / 8)] |= static_cast<std::uint8_t>(1 << i % K % 8);
      values.push_back(random.centred());
      dense[static_cast<std::size_t>(i)] = values.back();
    }
  }
  sparse::Bitmap bitmap() const { return {N, K, bits.data()}; }
  double sparsity() const { return 1 - static_cast<double>(values.size()) / static_cast<double>(dense.size()); }
};

}  // namespace athanor::bench

// Weights that the benches of sparse products share.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "sparse/bitmap.h"
#include "timing.h"

namespace athanor::bench {

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

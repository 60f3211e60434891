#include "kernels/movement/permutation.h"

#include <utility>

#include "base/philox.h"

namespace athanor::kernels {
namespace {

// Words of Philox in order. The engine's operations number their streams from 0; the shuffle's is the last one.
class Words {
 public:
  Words(std::uint64_t seed, std::uint64_t epoch) : seed_(seed), epoch_(epoch) {}

  std::uint32_t next() {
    if (used_ == 4) {
      const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
      const PhiloxBlock counter{{low(block_), low(block_ >> 32), ~low(epoch_ >> 32), low(epoch_)}};
      words_ = philox(counter, seed_);
      ++block_;
      used_ = 0;
    }
    return words_.words[used_++];
  }

  // Uniform in [0, n), n >= 1.
  std::uint32_t below(std::uint32_t n) {
    std::uint64_t product = std::uint64_t{next()} * n;
    if (static_cast<std::uint32_t>(product) < n) {
      const std::uint32_t threshold = -n % n;  // 2^32 mod n: so many low words would come up once too often
      while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * n;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  std::uint64_t seed_, epoch_, block_ = 0;
  PhiloxBlock words_{};
  int used_ = 4;
};

}  // namespace

void permutation(std::uint64_t seed, std::uint64_t epoch, Index n, std::int32_t* out) {
  Words words(seed, epoch);
  for (Index i = 0; i < n; ++i) out[i] = static_cast<std::int32_t>(i);
  for (Index i = n - 1; i > 0; --i) std::swap(out[i], out[words.below(static_cast<std::uint32_t>(i + 1))]);
}

}  // namespace athanor::kernels

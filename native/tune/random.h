// Draws that are a function of (seed, trial number, stream, index): no state, so that trial k draws the same numbers whoever asks
// for it, on whichever machine, after whatever.
#pragma once
#include <cstdint>

#include "base/philox.h"
#include "tune/numerics/elementary.h"

namespace athanor::tune {

// What a draw is for; each has its own numbers.
enum class Stream : std::uint32_t { start = 0x7c0, tpe, gp, cma, genetic, forest, scramble };

struct Draws {
  std::uint64_t seed = 0;
  std::uint32_t number = 0;
  Stream stream = Stream::start;

  // In (0, 1): an odd multiple of 2^-54.
  double uniform(std::uint64_t index) const {
    const PhiloxBlock block = at(index);
    const std::uint64_t bits = (std::uint64_t{block.words[0]} << 32 | block.words[1]) >> 11;
    return (static_cast<double>(bits) + 0.5) * 0x1p-53;
  }
  double normal(std::uint64_t index) const { return normal_quantile(uniform(index)); }
  // In [0, count).
  int below(std::uint64_t index, int count) const {
    return static_cast<int>(std::uint64_t{at(index).words[2]} * static_cast<std::uint64_t>(count) >> 32);
  }

 private:
  PhiloxBlock at(std::uint64_t index) const {
    return philox({{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                    static_cast<std::uint32_t>(stream), number}},
                  seed);
  }
};

// Draws in turn.
class Sequence {
 public:
  explicit Sequence(Draws draws) : draws_(draws) {}
  double uniform() { return draws_.uniform(next_++); }
  double normal() { return draws_.normal(next_++); }
  int below(int count) { return draws_.below(next_++, count); }

 private:
  Draws draws_;
  std::uint64_t next_ = 0;
};

}  // namespace athanor::tune

// What a step of a program sees while it runs: the addresses of its slots, the threads, the keys of its random numbers.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "base/parallel.h"
#include "runtime/memory.h"

namespace athanor {

// The number of a piece of memory in a program: a value, a workspace, a variable or a feed. Its address is known in a run.
using Slot = std::int32_t;

class Execution {
 public:
  Execution(std::byte* const* slots, Parallel& parallel, std::uint64_t seed, std::uint64_t step, Index first_row = 0,
            Index rows = 0)
      : parallel(parallel), seed(seed), step(step), slots_(slots), first_row_(first_row), rows_(rows) {}

  template <class T = void>
  T* at(Slot slot) const {
    return reinterpret_cast<T*>(slots_[slot]);
  }

  // Which element of the whole batch's tensor is element 0 of this part's, of `count` elements with `leading` along the first axis.
  std::uint64_t first_element(Index leading, Index count) const {
    if (first_row_ == 0 || rows_ == 0 || leading % rows_ != 0) return 0;
    return static_cast<std::uint64_t>(first_row_ * (count / rows_));
  }

  Parallel& parallel;
  const std::uint64_t seed;
  const std::uint64_t step;

 private:
  std::byte* const* slots_;
  const Index first_row_, rows_;
};

using StepFunction = std::function<void(Execution&)>;

// Makes data from the values of parameters and constants, such as a weight packed into panels.
using PrepareFunction = std::function<Block(std::span<const std::byte* const> operands, Parallel& parallel)>;

}  // namespace athanor

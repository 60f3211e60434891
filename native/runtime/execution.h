// What a step of a program sees while it runs: the addresses of its slots, the threads, the keys of its random numbers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "runtime/memory.h"

namespace athanor {

// The number of a piece of memory in a program: a value, a workspace, a variable or a feed. Its address is known in a run.
using Slot = std::int32_t;

// Work that one step of a run begins and a later one waits for, while other steps run.
class Errand {
 public:
  virtual ~Errand() = default;
  virtual void wait() = 0;
};

class Execution {
 public:
  // `memory`: what holds the arena; work that others still do when a run has failed keeps it.
  Execution(std::byte* const* slots, Parallel& parallel, std::uint64_t seed, std::uint64_t step, Index first_row = 0,
            Index rows = 0, const std::shared_ptr<Block>* memory = nullptr)
      : parallel(parallel),
        seed(seed),
        step(step),
        slots_(slots),
        first_row_(first_row),
        rows_(rows),
        memory_(memory) {}

  template <class T = void>
  T* at(Slot slot) const {
    return reinterpret_cast<T*>(slots_[slot]);
  }

  // Which element of the whole batch's tensor is element 0 of this part's, of `count` elements with `leading` along the first axis.
  std::uint64_t first_element(Index leading, Index count) const {
    if (first_row_ == 0 || rows_ == 0 || leading % rows_ != 0) return 0;
    return static_cast<std::uint64_t>(first_row_ * (count / rows_));
  }

  std::shared_ptr<const void> memory() const { return memory_ == nullptr ? nullptr : *memory_; }

  // An errand whose result will be in `slot`, and the wait for it.
  void begin(Slot slot, std::unique_ptr<Errand> errand) { errands_.emplace_back(slot, std::move(errand)); }
  void finish(Slot slot) {
    for (auto at = errands_.begin(); at != errands_.end(); ++at) {
      if (at->first != slot) continue;
      const std::unique_ptr<Errand> errand = std::move(at->second);
      errands_.erase(at);
      return errand->wait();
    }
  }
  // Where a run ends before its waits: nothing may write to its memory afterwards.
  void abandon() noexcept {
    for (auto& [slot, errand] : errands_) {
      try {
        errand->wait();
      } catch (...) {  // the error that ended the run came first
      }
    }
    errands_.clear();
  }

  Parallel& parallel;
  const std::uint64_t seed;
  const std::uint64_t step;

 private:
  std::byte* const* slots_;
  const Index first_row_, rows_;
  const std::shared_ptr<Block>* memory_;
  std::vector<std::pair<Slot, std::unique_ptr<Errand>>> errands_;
};

using StepFunction = std::function<void(Execution&)>;

// Makes data from the values of parameters and constants, such as a weight packed into panels.
using PrepareFunction = std::function<Block(std::span<const std::byte* const> operands, Parallel& parallel)>;

}  // namespace athanor

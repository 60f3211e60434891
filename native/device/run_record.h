// The status slot of a device's run, and the keys and counters that a captured graph reads there.
#pragma once
#include <cstdint>

#include "base/index.h"

namespace athanor::device {

// What went wrong in mid-run. The sentence is the host's: it knows the node.
enum class StatusCode : std::uint32_t {
  none = 0,
  label,       // a label that is not a class: position, value i32
  index,       // an index out of range: position, value i32
  not_whole,   // a float that is not a whole number of i32: position, value f32
  rule,        // an i32 divisor of 0 or an exponent below 0: position, value i32
  kept,        // top_mask asked to keep more than there is: value i32
  unranked,    // a NaN that has no rank: position
  descending,  // a table that does not ascend: position of the entry
  corrupt,     // a quantized weight that contradicts itself
  marked,      // a bitmap that marks another number of weights than there are: value u32
  stray,       // a bitmap that marks a weight past its columns: position of the row
};

// The device's own record of a run, in device memory. A run begins with `begin`, which sets it; kernels then read the keys of random
// numbers here, so that a captured graph replays with new ones. The first node that meets bad data claims the record; of its bad
// elements the first one in memory's order is kept, whatever the order of threads. Effects do nothing once it is claimed.
struct RunRecord {
  std::uint64_t seed;
  std::uint64_t step;   // keys random numbers, with seed
  std::int64_t row;     // of the epoch's order: where this turn's batch begins
  std::int64_t turn;    // of the loop, from 0
  std::uint64_t owner;  // 0: none yet, else (node + 1) << 32 | StatusCode
  std::uint64_t first;  // of the owner's bad elements: position << 32 | the value's 32 bits; the smallest
  std::uint64_t count;  // how many bad elements the owner met
  std::uint64_t stop;   // not 0: the loop was told to stop (Record::guard); effects do nothing any more
};

constexpr StatusCode code_of(const RunRecord& run) { return static_cast<StatusCode>(run.owner & 0xffffffffu); }
constexpr std::int32_t node_of(const RunRecord& run) { return static_cast<std::int32_t>(run.owner >> 32) - 1; }
constexpr Index position_of(const RunRecord& run) { return static_cast<Index>(run.first >> 32); }
constexpr std::uint32_t value_bits_of(const RunRecord& run) { return static_cast<std::uint32_t>(run.first); }

// Where a kernel that may meet bad data, or that changes state, reports and looks. A null run: nothing is reported (bad elements
// are passed over as the CPU kernels do) and effects always happen.
struct Check {
  RunRecord* run = nullptr;
  std::int32_t node = 0;
};

}  // namespace athanor::device

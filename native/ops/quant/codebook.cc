// nearest_entry: x f32 […], table f32 [C] in ascending order, 1 ≤ C ≤ 65,536 → i32 […], the number of the entry nearest to each
// element. A tie goes to the entry of even number, as rounding halves to even does, so that a table of whole numbers quantizes
// like `round`. Infinities take the first or last entry, NaN the first. Distances are compared in float64, where the difference
// of two floats of like size is exact.
#include <algorithm>

#include "base/error.h"
#include "graph/lower.h"

namespace athanor {
namespace {

constexpr Index kMostEntries = 65'536;
constexpr Index kTaskElements = 16'384;

void infer_nearest_entry(InferContext& context) {
  const Type &x = context.inputs[0], &table = context.inputs[1];
  check(x.dtype == DType::f32 && table.dtype == DType::f32, Code::dtype, [&] {
    return std::string("nearest_entry: takes f32 and a table in f32, got ") + name_of(x.dtype) + " and " +
           name_of(table.dtype) + "; cast them first";
  });
  check(table.shape.rank() == 1 && table.shape[0] >= 1 && table.shape[0] <= kMostEntries, Code::shape, [&] {
    return "nearest_entry: the table must be [1] to [65536], got " + to_string(table.shape) + "; reshape it";
  });
  context.outputs.push_back({DType::i32, x.shape});
}

std::int32_t nearest(float x, const float* table, Index entries) {
  Index low = 0, high = entries;  // the first entry above x is in [low, high]
  while (low < high) {
    const Index middle = (low + high) / 2;
    if (table[middle] > x) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == 0 || x != x) return 0;
  if (low == entries) return static_cast<std::int32_t>(entries - 1);
  const double below = static_cast<double>(x) - table[low - 1], above = static_cast<double>(table[low]) - x;
  if (below == above) return static_cast<std::int32_t>(low % 2 == 0 ? low : low - 1);
  return static_cast<std::int32_t>(below < above ? low - 1 : low);
}

void check_ascending(const std::string& where, const float* table, Index entries) {
  for (Index i = 1; i < entries; ++i) {
    check(table[i - 1] <= table[i], Code::argument, [&] {
      return where + ": the table must ascend, entry " + std::to_string(i) + " (" + std::to_string(table[i]) +
             ") is below the one before it (" + std::to_string(table[i - 1]) + "); sort it";
    });
  }
}

void lower_nearest_entry(LowerContext& context) {
  const Slot x = context.input(0), table = context.input(1), y = context.output();
  const Index count = context.input_type(0).count(), entries = context.input_type(1).count();
  const int tasks = static_cast<int>((count + kTaskElements - 1) / kTaskElements);
  const std::string where = context.where();
  context.emit({static_cast<double>(count) * 8, 0}, [=](Execution& run) {
    const float *from = run.at<const float>(x), *levels = run.at<const float>(table);
    std::int32_t* to = run.at<std::int32_t>(y);
    check_ascending(where, levels, entries);
    run.parallel.run(tasks, [=](int task, int) {
      const Index end = std::min(count, (task + 1) * kTaskElements);
      for (Index i = task * kTaskElements; i < end; ++i) to[i] = nearest(from[i], levels, entries);
    });
  });
}

}  // namespace

const OpRule rule_nearest_entry{infer_nearest_entry, nullptr, lower_nearest_entry};

}  // namespace athanor

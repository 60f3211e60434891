// Sums (maxima, minima) over ranks by an exchange of our own: every rank gets one segment of everybody's values, adds them along
// the fixed tree of comm/shard_tree.h, and hands the result to all. 2 (n − 1) / n of the data leave each rank, in chunks, so that
// a chunk is on its way back while the next ones come. MPI_Allreduce is not used: its order of summation is its own.
#pragma once
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "comm/operation.h"
#include "comm/shard_tree.h"
#include "runtime/memory.h"

namespace athanor::comm {

enum class Reduce { sum, max, min };

struct ReductionPlan {
  DType dtype = DType::f32;  // f32, f64 or i32
  Reduce reduce = Reduce::sum;
  int shards = 1;
  std::vector<std::vector<ShardBlock>> partials;  // of every rank
};

// One value a rank, added in the order of ranks along the tree.
ReductionPlan plain_reduction(int ranks, DType dtype, Reduce reduce);

// Which elements rank `rank` adds up.
struct ElementRange {
  Index begin, end;
};
ElementRange segment_of(Index elements, int rank, int size);

struct ReductionData {
  std::vector<void*> own;  // this rank's partials, overwritten
  void* result = nullptr;  // may be own[0]; without `gather` only this rank's segment of it is written
  Index elements = 0;
  bool gather = true;
  std::vector<Index> bounds = {};  // where the segments of ranks begin, and the end; empty: evenly
};

// Room for what the others send; to be kept where the same reduction is made again and again.
Index staging_bytes(const ReductionPlan& plan, int rank, Index elements);

// `plan` and `staging` must outlive the operation.
std::unique_ptr<Operation> reduction(const ReductionPlan& plan, int rank, ReductionData data, std::byte* staging);

}  // namespace athanor::comm

// Some of the ranks as a resource of a graph: what its collectives work within. And the collectives themselves, as gradient rules and
// the bindings write them.
//
// Where every rank has a loss of its own, the loss that is differentiated is the sum of all of them: gradient "sum". Where the ranks
// of a group compute one loss together, so that each of them has it, the gradient of what is equal on all ranks is equal on all ranks
// too, and must not be summed once more: gradient "same" (Megatron-LM, Shoeybi et al. 2019).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "graph/expr.h"
#include "graph/graph.h"

namespace athanor {

class RankGroup final : public Resource {
 public:
  RankGroup(std::shared_ptr<comm::Communicator> communicator, std::shared_ptr<comm::Group> group, std::string name)
      : communicator_(std::move(communicator)), group_(std::move(group)), name_(std::move(name)) {}

  comm::Communicator& communicator() const { return *communicator_; }
  const std::shared_ptr<comm::Group>& group() const { return group_; }
  const std::string& name() const { return name_; }  // "tensor"
  int rank() const { return group_->rank(); }
  int size() const { return group_->size(); }

 private:
  std::shared_ptr<comm::Communicator> communicator_;
  std::shared_ptr<comm::Group> group_;
  std::string name_;
};

// Appends a collective; `attrs` has "resource", the group's number in the graph, and what the operation takes beside it:
//   all_reduce      reduce "sum" | "max" | "min", gradient
//   all_gather      axis, sizes: extents along it, one a rank; gradient
//   reduce_scatter  axis, sizes: every rank gets its part of the sum
//   broadcast       root
//   all_to_all      split, split_sizes, concat, concat_sizes: part r along axis `split` goes to rank r; what comes is joined along `concat`
//   send            to, channel; its result is a number, 0, that stands for the message
//   receive         from, channel, dtype, shape; an operand, if there is one, stands for the message in gradients
//   replicated      a value that is the same on all ranks: the gradient is the sum of the ranks' gradients
Expr collective(Graph& graph, Op op, std::vector<ValueId> inputs, Attrs attrs);

// The group of a node.
std::shared_ptr<RankGroup> rank_group(const Graph& graph, const Attrs& attrs);

// Elements along an axis as [outer, extent, inner].
struct AxisView {
  Index outer, extent, inner;
};
AxisView view_along(const Shape& shape, int axis);

// Where parts of these extents begin, and the end.
std::vector<Index> offsets_of(const std::vector<Index>& sizes);

}  // namespace athanor

// How a collective runs on the CPU: its start hands an operation to the communicator's thread and its wait ends when that has moved
// all bytes. A start copies what it sends, so that its operand may go; the result and the copies live until the wait.
// Long because every collective is one class here, with how it is packed, sent and unpacked.
#include <cstring>

#include "base/error.h"
#include "comm/reduction.h"
#include "comm/transfers.h"
#include "graph/lower.h"
#include "ops/comm/collective_proof.h"
#include "ops/comm/rank_group.h"

namespace athanor {
namespace {

constexpr Index kLine = 64;
Index aligned(Index bytes) { return (bytes + kLine - 1) / kLine * kLine; }

void copy_bytes(std::byte* to, const std::byte* from, Index bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

// `rows` runs of `bytes`, this far from one another.
struct Rows {
  std::byte* data;
  Index stride;
};
void copy_rows(Rows to, Rows from, Index rows, Index bytes) {
  for (Index row = 0; row < rows; ++row) copy_bytes(to.data + row * to.stride, from.data + row * from.stride, bytes);
}

// What a run of one collective is made of.
struct Place {
  std::byte* x;
  std::byte* y;
  std::byte* scratch;
};

class Collective {
 public:
  virtual ~Collective() = default;
  // The operation, its operands copied; null where there is nothing to send.
  virtual std::unique_ptr<comm::Operation> begin(const Place& place) const = 0;
  // After it: puts the result where it belongs.
  virtual void end(const Place&) const {}
};

class AllReduce final : public Collective {
 public:
  AllReduce(const RankGroup& group, const Type& x, comm::Reduce reduce)
      : plan_(comm::plain_reduction(group.size(), x.dtype, reduce)), rank_(group.rank()), x_(x) {}

  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    copy_bytes(place.y, place.x, x_.bytes());
    return comm::reduction(plan_, rank_, {{place.y}, place.y, x_.count(), true}, place.scratch);
  }

 private:
  const comm::ReductionPlan plan_;
  const int rank_;
  const Type x_;
};

class AllGather final : public Collective {
 public:
  AllGather(int rank, const Type& y, int axis, const std::vector<Index>& sizes)
      : rank_(rank), view_(view_along(y.shape, axis)), inner_(view_.inner * size_of(y.dtype)), sizes_(sizes) {
    offsets_ = offsets_of(sizes);
  }

  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    std::byte* parts = view_.outer == 1 ? place.y : place.scratch;
    std::vector<comm::Piece> pieces;
    for (std::size_t r = 0; r < sizes_.size(); ++r) {
      const Index row = view_.outer * inner_;
      pieces.push_back({static_cast<int>(r), parts + offsets_[r] * row, sizes_[r] * row});
    }
    const comm::Piece& own = pieces[static_cast<std::size_t>(rank_)];
    copy_bytes(static_cast<std::byte*>(own.data), place.x, own.bytes);
    return comm::all_gather(rank_, pieces);
  }

  void end(const Place& place) const override {
    if (view_.outer == 1) return;
    for (std::size_t r = 0; r < sizes_.size(); ++r) {
      const Index bytes = sizes_[r] * inner_;
      copy_rows({place.y + offsets_[r] * inner_, view_.extent * inner_},
                {place.scratch + offsets_[r] * view_.outer * inner_, bytes}, view_.outer, bytes);
    }
  }

 private:
  const int rank_;
  const AxisView view_;
  const Index inner_;
  const std::vector<Index> sizes_;
  std::vector<Index> offsets_;
};

class ReduceScatter final : public Collective {
 public:
  ReduceScatter(const RankGroup& group, const Type& x, int axis, const std::vector<Index>& sizes)
      : plan_(comm::plain_reduction(group.size(), x.dtype, comm::Reduce::sum)),
        rank_(group.rank()),
        x_(x),
        view_(view_along(x.shape, axis)),
        sizes_(sizes),
        offsets_(offsets_of(sizes)) {
    for (const Index offset : offsets_) bounds_.push_back(offset * view_.outer * view_.inner);
  }

  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    const Index element = size_of(x_.dtype), inner = view_.inner * element;
    for (std::size_t r = 0; r < sizes_.size(); ++r) {
      copy_rows({place.scratch + bounds_[r] * element, sizes_[r] * inner},
                {place.x + offsets_[r] * inner, view_.extent * inner}, view_.outer, sizes_[r] * inner);
    }
    // The only part of the result that is written is this rank's, which is where y begins.
    comm::ReductionData data{
        {place.scratch}, place.y - bounds_[static_cast<std::size_t>(rank_)] * element, x_.count(), false, bounds_};
    return comm::reduction(plan_, rank_, std::move(data), place.scratch + aligned(x_.bytes()));
  }

 private:
  const comm::ReductionPlan plan_;
  const int rank_;
  const Type x_;
  const AxisView view_;
  const std::vector<Index> sizes_, offsets_;
  std::vector<Index> bounds_;  // of the parts one after the other, in elements
};

class Broadcast final : public Collective {
 public:
  Broadcast(const RankGroup& group, Index bytes, int root)
      : rank_(group.rank()), size_(group.size()), root_(root), bytes_(bytes) {}

  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    if (rank_ == root_) copy_bytes(place.y, place.x, bytes_);
    return comm::broadcast(rank_, size_, root_, place.y, bytes_);
  }

 private:
  const int rank_, size_, root_;
  const Index bytes_;
};

// Part r of x along one axis goes to rank r; what comes of it has its place along the other.
class AllToAll final : public Collective {
 public:
  AllToAll(const RankGroup& group, const Type& x, const Type& y, const Attrs& attrs)
      : rank_(group.rank()),
        x_(x),
        y_(y),
        split_(static_cast<int>(attrs.integer("split"))),
        concat_(static_cast<int>(attrs.integer("concat"))),
        parts_(attrs.list("split_sizes")),
        joined_(attrs.list("concat_sizes")) {}

  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    std::vector<comm::Piece> sends, receives;
    std::byte* at = place.scratch;
    const Along out = along(x_, split_, parts_), in = along(y_, concat_, joined_);
    for (std::size_t r = 0; r < parts_.size(); ++r) {
      const Index bytes = parts_[r] * out.inner;
      copy_rows({at, bytes}, {place.x + out.offsets[r] * out.inner, out.stride}, out.outer, bytes);
      if (static_cast<int>(r) != rank_) sends.push_back({static_cast<int>(r), at, out.outer * bytes});
      at += out.outer * bytes;
    }
    at = place.scratch + aligned(x_.bytes());
    for (std::size_t r = 0; r < joined_.size(); ++r) {
      const Index bytes = in.outer * joined_[r] * in.inner;
      if (static_cast<int>(r) == rank_) {
        copy_bytes(at, place.scratch + out.outer * out.offsets[r] * out.inner, bytes);
      } else {
        receives.push_back({static_cast<int>(r), at, bytes});
      }
      at += bytes;
    }
    return comm::transfer(std::move(sends), std::move(receives));
  }

  void end(const Place& place) const override {
    const Along in = along(y_, concat_, joined_);
    const std::byte* from = place.scratch + aligned(x_.bytes());
    for (std::size_t r = 0; r < joined_.size(); ++r) {
      const Index bytes = joined_[r] * in.inner;
      copy_rows({place.y + in.offsets[r] * in.inner, in.stride}, {const_cast<std::byte*>(from), bytes}, in.outer,
                bytes);
      from += in.outer * bytes;
    }
  }

 private:
  struct Along {
    Index outer, inner, stride;  // inner and stride in bytes
    std::vector<Index> offsets;
  };
  static Along along(const Type& type, int axis, const std::vector<Index>& sizes) {
    const AxisView view = view_along(type.shape, axis);
    const Index inner = view.inner * size_of(type.dtype);
    return {view.outer, inner, view.extent * inner, offsets_of(sizes)};
  }

  const int rank_;
  const Type x_, y_;
  const int split_, concat_;
  const std::vector<Index> parts_, joined_;
};

class Send final : public Collective {
 public:
  Send(Index bytes, int to) : bytes_(bytes), to_(to) {}
  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    copy_bytes(place.scratch, place.x, bytes_);
    *reinterpret_cast<float*>(place.y) = 0;
    return comm::transfer({{to_, place.scratch, bytes_}}, {});
  }

 private:
  const Index bytes_;
  const int to_;
};

class Receive final : public Collective {
 public:
  Receive(Index bytes, int from) : bytes_(bytes), from_(from) {}
  std::unique_ptr<comm::Operation> begin(const Place& place) const override {
    return comm::transfer({}, {{from_, place.y, bytes_}});
  }

 private:
  const Index bytes_;
  const int from_;
};

comm::Reduce reduce_of(const Attrs& attrs) {
  const std::string name = attrs.text("reduce");
  return name == "max" ? comm::Reduce::max : name == "min" ? comm::Reduce::min : comm::Reduce::sum;
}

std::shared_ptr<const Collective> make(Op op, const RankGroup& group, const Attrs& attrs, const Type& x,
                                       const Type& y) {
  const auto axis = [&] { return static_cast<int>(attrs.integer("axis")); };
  const auto rank = [&](const char* name) { return static_cast<int>(attrs.integer(name)); };
  if (op == Op::all_reduce) return std::make_shared<AllReduce>(group, x, reduce_of(attrs));
  if (op == Op::all_gather) return std::make_shared<AllGather>(group.rank(), y, axis(), attrs.list("sizes"));
  if (op == Op::reduce_scatter) return std::make_shared<ReduceScatter>(group, x, axis(), attrs.list("sizes"));
  if (op == Op::broadcast) return std::make_shared<Broadcast>(group, x.bytes(), rank("root"));
  if (op == Op::all_to_all) return std::make_shared<AllToAll>(group, x, y, attrs);
  if (op == Op::send) return std::make_shared<Send>(x.bytes(), rank("to"));
  if (op == Op::receive) return std::make_shared<Receive>(y.bytes(), rank("from"));
  throw Error(Code::internal, std::string("collective: ") + info(op).name + " is not a collective");
}

// "all-reduce", as in the ledger of bytes.
std::string ledger_name(Op op) {
  std::string name = info(op).name;
  for (char& c : name) c = c == '_' ? '-' : c;
  return name;
}

// What a start leaves for its wait.
class UnderWay final : public Errand {
 public:
  UnderWay(std::shared_ptr<const RankGroup> group, comm::Communicator::Ticket ticket,
           std::shared_ptr<const Collective> collective, Place place)
      : group_(std::move(group)), ticket_(std::move(ticket)), collective_(std::move(collective)), place_(place) {}

  void wait() override {
    group_->communicator().wait(ticket_);
    collective_->end(place_);
  }

 private:
  std::shared_ptr<const RankGroup> group_;
  comm::Communicator::Ticket ticket_;
  std::shared_ptr<const Collective> collective_;
  Place place_;
};

// The memory that a message may still come to when its run has failed, and the plan that goes with it.
struct Kept {
  std::shared_ptr<const void> memory;
  std::shared_ptr<const Collective> collective;
};

// The step that starts `op`; what it needs is captured, as the graph may be gone when it runs.
StepFunction starting(LowerContext& context, Op op, Slot scratch) {
  const auto group = rank_group(context.graph, context.attrs());
  const bool receives = context.input_count() == 0 || op == Op::receive;
  const Type x = receives ? Type{} : context.input_type(0);
  const auto body = make(op, *group, context.attrs(), x, context.output_type());
  const Slot from = receives ? -1 : context.input(0), to = context.output();
  const int channel = static_cast<int>(context.attrs().integer("channel", -1));
  const Index bytes = receives ? context.output_type().bytes() : x.bytes();
  const std::string where = context.node.scope.empty() ? "" : "\"" + context.node.scope + "\"";
  const comm::Label label{ledger_name(op), where, bytes, -1};
  return [=](Execution& run) {
    const Place place{from < 0 ? nullptr : run.at<std::byte>(from), run.at<std::byte>(to), run.at<std::byte>(scratch)};
    comm::Label named = label;
    named.step = static_cast<std::int64_t>(run.step);
    auto kept = std::make_shared<const Kept>(Kept{run.memory(), body});
    auto ticket =
        group->communicator().start(group->group(), std::move(named), body->begin(place), std::move(kept), channel);
    run.begin(to, std::make_unique<UnderWay>(group, std::move(ticket), body, place));
  };
}

void emit_proof(LowerContext& context) {
  const auto proof = proof_before(context.graph, context.node);
  if (proof == nullptr) return;
  context.emit("proof that all ranks match", {1, 1}, [proof](Execution&) { proof->run(); });
}

}  // namespace

// Start and wait in one: in a graph that went through no passes.
void lower_collective(LowerContext& context) {
  emit_proof(context);
  const Slot scratch = context.workspace(context.attrs().integer("scratch"));
  const StepFunction start = starting(context, context.node.op, scratch);
  const Slot to = context.output();
  context.emit({}, [=](Execution& run) {
    start(run);
    run.finish(to);
  });
}

namespace {

void infer_half(InferContext& context) {
  throw Error(Code::internal, std::string(context.name) + ": made by the compiler alone");
}

void lower_start(LowerContext& context) {
  emit_proof(context);
  const std::string name = context.attrs().text("op");
  context.emit(name, {}, starting(context, find_op(name)->op, context.output(1)));
}

void lower_wait(LowerContext& context) {
  const Slot slot = context.output();
  context.emit(context.attrs().text("op"), {}, [slot](Execution& run) { run.finish(slot); });
}

}  // namespace

const OpRule rule_collective_start{infer_half, nullptr, lower_start};
const OpRule rule_collective_wait{infer_half, nullptr, lower_wait};

}  // namespace athanor

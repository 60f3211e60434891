// Collectives as operations: shapes and gradients. What a rank sends in the forward pass it receives the gradient of, and the other
// way round: the adjoint of a gather is a scatter of sums, that of an all-to-all is the all-to-all back.
#include <numeric>

#include "base/error.h"
#include "comm/reduction.h"
#include "graph/attributes.h"
#include "graph/vjp.h"
#include "ops/comm/rank_group.h"
#include "ops/dtype_attr.h"

namespace athanor {

std::shared_ptr<RankGroup> rank_group(const Graph& graph, const Attrs& attrs) {
  const auto number = static_cast<std::size_t>(attrs.integer("resource"));
  auto group =
      number < graph.resources().size() ? std::dynamic_pointer_cast<RankGroup>(graph.resources()[number]) : nullptr;
  check(group != nullptr, Code::internal, [] { return "a collective's resource is not a group of ranks"; });
  return group;
}

Expr collective(Graph& graph, Op op, std::vector<ValueId> inputs, Attrs attrs) {
  const auto group = rank_group(graph, attrs);
  attrs.set("rank", Index{group->rank()});
  attrs.set("size", Index{group->size()});
  return {&graph, graph.apply(op, std::move(inputs), std::move(attrs))};
}

AxisView view_along(const Shape& shape, int axis) { return {shape.count(0, axis), shape[axis], shape.count(axis + 1)}; }

std::vector<Index> offsets_of(const std::vector<Index>& sizes) {
  std::vector<Index> offsets{0};
  for (const Index size : sizes) offsets.push_back(offsets.back() + size);
  return offsets;
}

namespace {

Index rank_of(const InferContext& context) { return context.attrs.integer("rank"); }
Index ranks_of(const InferContext& context) { return context.attrs.integer("size"); }

void require_summable(const InferContext& context) {
  const DType dtype = context.inputs[0].dtype;
  check(dtype == DType::f32 || dtype == DType::f64 || dtype == DType::i32, Code::dtype,
        [&] { return std::string(context.name) + ": takes f32, f64 or i32, got " + name_of(dtype); });
}

// One extent of 0 or more for every rank; `own` is this rank's.
std::vector<Index> sizes_of(const InferContext& context, const char* name) {
  std::vector<Index> sizes = context.attrs.list(name);
  bool ok = static_cast<Index>(sizes.size()) == ranks_of(context);
  for (const Index size : sizes) ok = ok && size >= 0;
  check(ok, Code::argument, [&] {
    return std::string(context.name) + ": " + name + " takes one extent for each of the " +
           std::to_string(ranks_of(context)) + " ranks, got " + std::to_string(sizes.size());
  });
  return sizes;
}

int axis_of(const InferContext& context, const char* name) {
  const int axis = normalize_axis(context.name, context.attrs.integer(name), context.inputs[0].shape.rank());
  context.attrs.set(name, Index{axis});
  return axis;
}

void require_extent(const InferContext& context, int axis, Index wanted) {
  const Type& x = context.inputs[0];
  check(x.shape[axis] == wanted, Code::shape, [&] {
    return std::string(context.name) + ": rank " + std::to_string(rank_of(context)) + " takes " +
           std::to_string(wanted) + " along axis " + std::to_string(axis) + ", got " + to_string(x);
  });
}

// Bytes of memory that the operation works in, beside its result.
void set_scratch(const InferContext& context, Index bytes) { context.attrs.set("scratch", bytes); }

Index aligned(Index bytes) { return (bytes + 63) / 64 * 64; }

std::string gradient_of(const InferContext& context) {
  const std::string gradient = context.attrs.text("gradient", "sum");
  check(gradient == "sum" || gradient == "same", Code::argument,
        [&] { return std::string(context.name) + ": gradient must be \"sum\" or \"same\", got \"" + gradient + "\""; });
  context.attrs.set("gradient", gradient);
  return gradient;
}

void infer_all_reduce(InferContext& context) {
  require_summable(context);
  const std::string reduce = context.attrs.text("reduce", "sum");
  check(reduce == "sum" || reduce == "max" || reduce == "min", Code::argument,
        [&] { return "all_reduce: reduce must be \"sum\", \"max\" or \"min\", got \"" + reduce + "\""; });
  context.attrs.set("reduce", reduce);
  gradient_of(context);
  const Type& x = context.inputs[0];
  const auto plan = comm::plain_reduction(static_cast<int>(ranks_of(context)), x.dtype, comm::Reduce::sum);
  set_scratch(context, comm::staging_bytes(plan, static_cast<int>(rank_of(context)), x.count()));
  context.outputs.push_back(x);
}

Attrs group_attrs(const VjpContext& context) { return {{"resource", context.attrs().integer("resource")}}; }

void vjp_all_reduce(VjpContext& context) {
  check(context.attrs().text("reduce") == "sum", Code::unsupported, [&] {
    return "grad: all_reduce by \"" + context.attrs().text("reduce") +
           "\" has no gradient; stop the gradient before it";
  });
  if (context.attrs().text("gradient") == "same") return context.set(0, context.dy());
  context.set(0, collective(context.graph(), Op::all_reduce, {context.dy().id}, group_attrs(context)));
}

void infer_all_gather(InferContext& context) {
  const int axis = axis_of(context, "axis");
  const std::vector<Index> sizes = sizes_of(context, "sizes");
  require_extent(context, axis, sizes[static_cast<std::size_t>(rank_of(context))]);
  gradient_of(context);
  Type y = context.inputs[0];
  y.shape[axis] = std::accumulate(sizes.begin(), sizes.end(), Index{0});
  set_scratch(context, view_along(y.shape, axis).outer == 1 ? 0 : y.bytes());
  context.outputs.push_back(y);
}

void vjp_all_gather(VjpContext& context) {
  const int axis = static_cast<int>(context.attrs().integer("axis"));
  const std::vector<Index> sizes = context.attrs().list("sizes");
  if (context.attrs().text("gradient") == "sum") {
    Attrs attrs = group_attrs(context);
    attrs.set("axis", Index{axis});
    attrs.set("sizes", sizes);
    return context.set(0, collective(context.graph(), Op::reduce_scatter, {context.dy().id}, std::move(attrs)));
  }
  const std::size_t rank = static_cast<std::size_t>(context.attrs().integer("rank"));
  const std::vector<Index> offsets = offsets_of(sizes);
  std::vector<Index> start(static_cast<std::size_t>(context.dy().shape().rank()), 0);
  std::vector<Index> stop = context.dy().shape().to_vector(), step(start.size(), 1);
  start[static_cast<std::size_t>(axis)] = offsets[rank];
  stop[static_cast<std::size_t>(axis)] = offsets[rank + 1];
  context.set(0, apply(Op::slice, {context.dy()}, {{"start", start}, {"stop", stop}, {"step", step}}));
}

void infer_reduce_scatter(InferContext& context) {
  require_summable(context);
  const int axis = axis_of(context, "axis");
  const std::vector<Index> sizes = sizes_of(context, "sizes");
  const Type& x = context.inputs[0];
  require_extent(context, axis, std::accumulate(sizes.begin(), sizes.end(), Index{0}));
  Type y = x;
  y.shape[axis] = sizes[static_cast<std::size_t>(rank_of(context))];
  set_scratch(context, aligned(x.bytes()) + (ranks_of(context) - 1) * y.bytes());
  context.outputs.push_back(y);
}

void vjp_reduce_scatter(VjpContext& context) {
  Attrs attrs = group_attrs(context);
  attrs.set("axis", context.attrs().integer("axis"));
  attrs.set("sizes", context.attrs().list("sizes"));
  context.set(0, collective(context.graph(), Op::all_gather, {context.dy().id}, std::move(attrs)));
}

void infer_broadcast(InferContext& context) {
  const Index root = context.attrs.integer("root");
  check(root >= 0 && root < ranks_of(context), Code::argument, [&] {
    return "broadcast: root must be a rank of the group, 0 to " + std::to_string(ranks_of(context) - 1) + ", got " +
           std::to_string(root);
  });
  set_scratch(context, 0);
  context.outputs.push_back(context.inputs[0]);
}

// Only the root's value is read; the others take part in the sum all the same.
void vjp_broadcast(VjpContext& context) {
  const Expr sum = collective(context.graph(), Op::all_reduce, {context.dy().id}, group_attrs(context));
  const bool root = context.attrs().integer("rank") == context.attrs().integer("root");
  context.set(0, root ? sum : sum * 0.0);
}

void infer_all_to_all(InferContext& context) {
  const int split = axis_of(context, "split"), concat = axis_of(context, "concat");
  const std::vector<Index> parts = sizes_of(context, "split_sizes"), joined = sizes_of(context, "concat_sizes");
  const std::size_t rank = static_cast<std::size_t>(rank_of(context));
  check(split != concat, Code::argument, [] { return "all_to_all: split and concat must be two axes"; });
  require_extent(context, split, std::accumulate(parts.begin(), parts.end(), Index{0}));
  require_extent(context, concat, joined[rank]);
  const Type& x = context.inputs[0];
  Type y = x;
  y.shape[split] = parts[rank];
  y.shape[concat] = std::accumulate(joined.begin(), joined.end(), Index{0});
  set_scratch(context, aligned(x.bytes()) + y.bytes());
  context.outputs.push_back(y);
}

void vjp_all_to_all(VjpContext& context) {
  Attrs attrs = group_attrs(context);
  attrs.set("split", context.attrs().integer("concat"));
  attrs.set("concat", context.attrs().integer("split"));
  attrs.set("split_sizes", context.attrs().list("concat_sizes"));
  attrs.set("concat_sizes", context.attrs().list("split_sizes"));
  context.set(0, collective(context.graph(), Op::all_to_all, {context.dy().id}, std::move(attrs)));
}

void check_peer(InferContext& context, const char* name) {
  const Index peer = context.attrs.integer(name);
  check(peer >= 0 && peer < ranks_of(context) && peer != rank_of(context), Code::argument, [&] {
    return std::string(context.name) + ": " + name + " must be another rank of the group, 0 to " +
           std::to_string(ranks_of(context) - 1) + ", got " + std::to_string(peer);
  });
  const Index channel = context.attrs.integer("channel", 0);
  check(channel >= 0 && channel < 12, Code::argument,
        [&] { return std::string(context.name) + ": channel must be 0 to 11, got " + std::to_string(channel); });
  context.attrs.set("channel", channel);
}

void infer_send(InferContext& context) {
  check_peer(context, "to");
  set_scratch(context, context.inputs[0].bytes());
  context.outputs.push_back({DType::f32, {}});
}

// The receiver's gradient comes back.
void vjp_send(VjpContext& context) {
  Attrs attrs = group_attrs(context);
  attrs.set("from", context.attrs().integer("to"));
  attrs.set("channel", context.attrs().integer("channel"));
  attrs.set("shape", context.input(0).shape().to_vector());
  attrs.set("dtype", std::string(name_of(context.input(0).dtype())));
  context.set(0, collective(context.graph(), Op::receive, {context.dy().id}, std::move(attrs)));
}

void infer_receive(InferContext& context) {
  check_peer(context, "from");
  check(context.inputs.size() <= 1, Code::argument, [] { return "receive: takes one operand at most"; });
  const Shape shape(context.attrs.list("shape"));
  for (const Index extent : shape) {
    check(extent >= 0, Code::argument, [&] { return "receive: a shape has no " + to_string(shape); });
  }
  set_scratch(context, 0);
  context.outputs.push_back({parse_dtype(context.name, attributes::receive::of(context.attrs).dtype), shape});
}

void vjp_receive(VjpContext& context) {
  Attrs attrs = group_attrs(context);
  attrs.set("to", context.attrs().integer("from"));
  attrs.set("channel", context.attrs().integer("channel"));
  const Expr sent = collective(context.graph(), Op::send, {context.dy().id}, std::move(attrs));
  context.set(0, broadcast_to(sent, context.input(0).shape()));
}

void infer_replicated(InferContext& context) {
  context.attrs.integer("resource");
  context.outputs.push_back(context.inputs[0]);
}

void vjp_replicated(VjpContext& context) {
  context.set(0, collective(context.graph(), Op::all_reduce, {context.dy().id}, group_attrs(context)));
}

}  // namespace

void lower_collective(LowerContext& context);

const OpRule rule_all_reduce{infer_all_reduce, vjp_all_reduce, lower_collective};
const OpRule rule_all_gather{infer_all_gather, vjp_all_gather, lower_collective};
const OpRule rule_reduce_scatter{infer_reduce_scatter, vjp_reduce_scatter, lower_collective};
const OpRule rule_broadcast{infer_broadcast, vjp_broadcast, lower_collective};
const OpRule rule_all_to_all{infer_all_to_all, vjp_all_to_all, lower_collective};
const OpRule rule_send{infer_send, vjp_send, lower_collective};
const OpRule rule_receive{infer_receive, vjp_receive, lower_collective};
const OpRule rule_replicated{infer_replicated, vjp_replicated};

}  // namespace athanor

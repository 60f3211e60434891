// Reverse mode over the graph: gradients are nodes of the same graph, so they are fused, planned and differentiated again like
// any others.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/vjp.h"

namespace athanor {

VjpContext::VjpContext(Graph& graph, const Node& node, std::vector<Expr> dy, std::vector<bool> wanted)
    : graph_(graph), node_(node), dy_(std::move(dy)), wanted_(std::move(wanted)), gradients_(node.inputs.size()) {}

namespace {

// The same value under a name of its own: differentiating with respect to it leaves out what else depends on the original.
Expr renamed(Expr x) { return apply(Op::reshape, {x}, attributes::reshape{.shape = x.shape().to_vector()}); }

Expr inner_product(Expr a, Expr b) {
  std::vector<Index> axes;
  for (int axis = 0; axis < a.shape().rank(); ++axis) axes.push_back(axis);
  return sum(a * b, std::move(axes));
}

// For every value, whether it depends on one of `wrt` through float values.
std::vector<bool> dependents(const Graph& graph, const std::vector<ValueId>& wrt) {
  std::vector<bool> depends(graph.value_count(), false);
  for (const ValueId value : wrt) depends[value] = true;
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::stop_gradient) continue;
    bool any = false;
    for (const ValueId input : node.inputs) any = any || depends[input];
    if (!any) continue;
    for (int i = 0; i < node.output_count; ++i) {
      if (is_float(graph.type(node.output(i)).dtype)) depends[node.output(i)] = true;
    }
  }
  return depends;
}

void accumulate(Expr& into, Expr more) { into = into ? into + more : more; }

void sweep_node(Graph& graph, const Node& node, const std::vector<bool>& depends, std::vector<Expr>& dvalue) {
  std::vector<Expr> dy;
  bool any = false;
  for (int i = 0; i < node.output_count; ++i) {
    dy.push_back(dvalue[node.output(i)]);
    any = any || dy.back();
  }
  std::vector<bool> wanted;
  bool any_wanted = false;
  for (const ValueId input : node.inputs) {
    wanted.push_back(depends[input]);
    any_wanted = any_wanted || depends[input];
  }
  if (!any || !any_wanted) return;
  const OpInfo& row = info(node.op);
  check(row.rule->vjp != nullptr, Code::unsupported, [&] {
    return std::string("grad: ") + row.name + " has no gradient" +
           (node.scope.empty() ? "" : " (in \"" + node.scope + "\")") +
           "; stop the gradient before it, or leave it out of what is differentiated";
  });
  VjpContext context(graph, node, std::move(dy), wanted);
  row.rule->vjp(context);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (wanted[i] && context.gradients()[i]) accumulate(dvalue[node.inputs[i]], context.gradients()[i]);
  }
}

}  // namespace

std::vector<ValueId> gradients(Graph& graph, ValueId loss, const std::vector<ValueId>& wrt) {
  const Type type = graph.type(loss);
  check(is_float(type.dtype) && type.count() == 1, Code::shape, [&] {
    return "grad: the function must return one number to be differentiated, got " + to_string(type) +
           "; reduce it with sum() or mean()";
  });
  const std::string scope = graph.scope();
  const std::vector<bool> depends = dependents(graph, wrt);
  std::vector<Expr> dvalue(graph.value_count());
  dvalue[loss] = broadcast_to(scalar(Expr{&graph, loss}, 1), type.shape);
  const auto last = graph.producer(loss).first_output;
  for (NodeId id = static_cast<NodeId>(graph.nodes().size()) - 1; id >= 0; --id) {
    const Node node = graph.node(id);
    if (node.first_output > last || info(node.op).is(kSource)) continue;
    graph.set_scope(node.scope);
    sweep_node(graph, node, depends, dvalue);
  }
  graph.set_scope(scope);
  std::vector<ValueId> results;
  for (const ValueId value : wrt) {
    const Expr gradient = dvalue[value] ? dvalue[value] : zeros_like(Expr{&graph, value});
    results.push_back(gradient.id);
  }
  return results;
}

void differentiate_unfused(VjpContext& context, std::initializer_list<int> operands, int dy,
                           FunctionRef<Expr(std::span<const Expr>)> unfused) {
  Graph& graph = context.graph();
  std::vector<Expr> values;
  std::vector<ValueId> ids;
  for (const int operand : operands) {
    values.push_back(renamed(context.input(operand)));
    ids.push_back(values.back().id);
  }
  const Expr flow = renamed(context.input(dy));
  const std::vector<ValueId> first = gradients(graph, inner_product(unfused(values), flow).id, ids);
  Expr total;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const Expr weight = context.dy(static_cast<int>(i));
    if (weight) accumulate(total, inner_product(Expr{&graph, first[i]}, weight));
  }
  if (!total) return;
  ids.push_back(flow.id);
  const std::vector<ValueId> second = gradients(graph, total.id, ids);
  int next = 0;
  for (const int operand : operands) context.set(operand, Expr{&graph, second[next++]});
  context.set(dy, Expr{&graph, second[next]});
}

}  // namespace athanor

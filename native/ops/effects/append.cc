#include "ops/effects/append.h"

#include <string>

#include "base/error.h"

namespace athanor {

void add_assign(Graph& graph, const std::shared_ptr<Variable>& variable, ValueId value) {
  check(graph.type(value) == variable->type(), Code::shape, [&] {
    return "assign: \"" + variable->name() + "\" is " + to_string(variable->type()) + ", got " +
           to_string(graph.type(value));
  });
  graph.apply(Op::assign, {value}, {{"slot", graph.add_variable(variable)}});
}

ValueId add_optimizer_step(Graph& graph, const std::shared_ptr<OptimizerState>& optimizer, OptimizerStepInputs inputs) {
  const std::vector<std::shared_ptr<Variable>>& variables = optimizer->variables();
  std::vector<ValueId>& operands = inputs.gradients;
  check(operands.size() == variables.size(), Code::argument, [&] {
    return "optimizerStep: expected " + std::to_string(variables.size()) + " gradients, got " +
           std::to_string(operands.size());
  });
  std::vector<Index> written;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    check(graph.type(operands[i]) == variables[i]->type(), Code::shape, [&] {
      return "optimizerStep: the gradient of \"" + variables[i]->name() + "\" must be " +
             to_string(variables[i]->type()) + ", got " + to_string(graph.type(operands[i]));
    });
    written.push_back(graph.add_variable(variables[i]));
  }
  if (inputs.loss) operands.push_back(*inputs.loss);
  operands.push_back(inputs.hyper);
  const Index resource = graph.add_resource(optimizer);
  return graph.apply(Op::optimizer_step, std::move(operands),
                     {{"resource", resource}, {"written", written}, {"guard", inputs.loss.has_value()}});
}

}  // namespace athanor

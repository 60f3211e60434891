// Assignment to a variable: does nothing once the run has met bad data.
#include "device/rules/rules.h"
#include "graph/attributes.h"

namespace athanor::device {

void lower_assign(DeviceContext& context) {
  const std::shared_ptr<Variable> variable = context.graph.variable_of(context.node);
  check(variable->type() == context.input_type(0), Code::shape, [&] {
    return "assign: \"" + variable->name() + "\" is " + to_string(variable->type()) + ", got " +
           to_string(context.input_type(0));
  });
  Assign assign;
  assign.bytes = variable->type().bytes();
  assign.check.node = context.id();
  const Slot from = context.input(0);
  const Index number = attributes::assign::of(context.attrs()).slot;
  context.launch(context.launchers().assign, assign, {0, 2.0 * static_cast<double>(assign.bytes)},
                 [=](Assign& now, const Addresses& at) {
                   now.to = at.variable(number), now.from = at.at(from), now.check.run = at.run;
                 });
}

}  // namespace athanor::device

#include "device/emitter.h"

#include "device/rules/rules.h"

namespace athanor::device {

void DeviceContext::refuse(const std::string& reason) const {
  const std::string op = info(node.op).name;
  const DType dtype = input_count() > 0 ? input_type(0).dtype : output_type().dtype;
  const std::string place = node.scope.empty() ? "" : " (in \"" + node.scope + "\")";
  throw Error(Code::unsupported_op,
              op + " of " + name_of(dtype) + place + ": device " + device->name() + " cannot run it: " + reason +
                  "; compile this function for device \"cpu\", or write it with other operations",
              {{"op", op}, {"dtype", name_of(dtype)}, {"device", device->name()}});
}

void DeviceEmitter::lower(const Graph& graph, NodeId id, LowerState& state) {
  DeviceContext context(graph, id, state, code_, device_);
  const Rule rule = rule_of(graph.node(id).op);
  if (rule == nullptr) context.refuse("it has no kernel for it");
  rule(context);
}

void DeviceEmitter::copy(Slot to, Slot from, Index bytes) {
  code_.launches.push_back([=, copy = device_->plugin().copy](Stream* stream, const Addresses& at) {
    return copy(stream, at.at(to), at.at(from), bytes);
  });
}

DeviceCode DeviceEmitter::finish(Layout layout) {
  static_cast<Layout&>(code_) = std::move(layout);
  return std::move(code_);
}

}  // namespace athanor::device

#include "graph/graph.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "graph/attributes.h"

namespace athanor {

ValueId Graph::input(const std::string& name, const Type& type) {
  for (const Node& node : nodes_) {
    check(node.op != Op::input || attributes::input::of(node.attrs).name != name, Code::argument,
          [&] { return "graph: there is an input named \"" + name + "\" already"; });
  }
  Node node{Op::input, {}, kNoValue, 0, attributes::input{.name = name}, scope_, nullptr};
  return append(node, {}, std::array{type});
}

ValueId Graph::parameter(std::shared_ptr<Variable> variable) {
  const Type type = variable->type();
  const Index slot = add_variable(std::move(variable));
  for (const Node& node : nodes_) {
    if (node.op == Op::parameter && attributes::parameter::of(node.attrs).slot == slot) return node.output();
  }
  Node node{Op::parameter, {}, kNoValue, 0, attributes::parameter{.slot = slot}, scope_, nullptr};
  return append(node, {}, std::array{type});
}

ValueId Graph::constant(Constant constant) {
  const Type type = constant.type;
  check(static_cast<Index>(constant.bytes.size()) == type.bytes(), Code::argument, [&] {
    return "constant: " + to_string(type) + " takes " + std::to_string(type.bytes()) + " bytes, got " +
           std::to_string(constant.bytes.size());
  });
  constants_.push_back(std::make_shared<Constant>(std::move(constant)));
  Node node{Op::constant, {},     kNoValue, 0, attributes::constant{.slot = static_cast<Index>(constants_.size()) - 1},
            scope_,       nullptr};
  return append(node, {}, std::array{type});
}

namespace {

template <class T>
std::vector<std::byte> bytes_of(T value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::vector<std::byte> encode(double value, DType dtype) {
  switch (dtype) {
    case DType::f64: return bytes_of(value);
    case DType::i32: return bytes_of(static_cast<std::int32_t>(value));
    case DType::u8: return bytes_of(static_cast<std::uint8_t>(value));
    case DType::boolean: return bytes_of(static_cast<std::uint8_t>(value != 0));
    case DType::f32: return bytes_of(static_cast<float>(value));
    case DType::bf16: return bytes_of(to_bf16(static_cast<float>(value)));
  }
  return {};
}

double decode(const Constant& constant) {
  const std::byte* at = constant.bytes.data();
  switch (constant.type.dtype) {
    case DType::f32: {
      float v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case DType::f64: {
      double v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case DType::i32: {
      std::int32_t v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case DType::u8:
    case DType::boolean: return static_cast<double>(std::to_integer<int>(*at));
    case DType::bf16: break;
  }
  std::uint16_t half;
  std::memcpy(&half, at, sizeof half);
  const std::uint32_t wide = static_cast<std::uint32_t>(half) << 16;
  float v;
  std::memcpy(&v, &wide, sizeof v);
  return v;
}

}  // namespace

ValueId Graph::scalar(double value, DType dtype) { return constant({{dtype, Shape{}}, encode(value, dtype)}); }

namespace {

// Attributes may name any extents; no rule has to doubt those of its result.
void check_extents(const char* name, const Type& type) {
  double bytes = 8;
  for (const Index extent : type.shape) {
    check(extent >= 0, Code::shape,
          [&] { return std::string(name) + ": an extent must be 0 or more, got " + to_string(type.shape); });
    bytes *= static_cast<double>(std::max<Index>(1, extent));
  }
  check(bytes < 9007199254740992.0, Code::shape, [&] {
    return std::string(name) + ": a tensor " + to_string(type.shape) +
           " of more than 2^53 bytes does not fit any machine";
  });
}

}  // namespace

ValueId Graph::apply(Op op, std::vector<ValueId> inputs, Attrs attrs, std::shared_ptr<const Body> body) {
  const OpInfo& row = info(op);
  check(row.arity == kVariadic || row.arity == static_cast<int>(inputs.size()), Code::argument, [&] {
    return std::string(row.name) + ": takes " + std::to_string(row.arity) + " operands, got " +
           std::to_string(inputs.size());
  });
  check_attrs(row, attrs);
  std::vector<Type> types;
  types.reserve(inputs.size());
  for (const ValueId value : inputs) {
    check(value >= 0 && value < value_count(), Code::argument,
          [&] { return std::string(row.name) + ": an operand belongs to another graph"; });
    types.push_back(type(value));
  }
  std::vector<Type> outputs;
  InferContext context{row.name, types, attrs, outputs};
  row.rule->infer(context);
  for (const Type& made : outputs) check_extents(row.name, made);
  Node node{op, {}, kNoValue, 0, std::move(attrs), scope_, std::move(body)};
  return append(node, std::move(inputs), outputs);
}

ValueId Graph::append(const Node& node, std::vector<ValueId> inputs, std::span<const Type> types) {
  Node copy = node;
  copy.inputs = std::move(inputs);
  copy.first_output = value_count();
  copy.output_count = static_cast<int>(types.size());
  for (const Type& type : types) values_.push_back({type, static_cast<NodeId>(nodes_.size())});
  nodes_.push_back(std::move(copy));
  return nodes_.back().first_output;
}

Index Graph::add_resource(std::shared_ptr<Resource> resource) {
  resources_.push_back(std::move(resource));
  return static_cast<Index>(resources_.size()) - 1;
}

Index Graph::add_variable(std::shared_ptr<Variable> variable) {
  const auto found = std::find(variables_.begin(), variables_.end(), variable);
  if (found != variables_.end()) return found - variables_.begin();
  variables_.push_back(std::move(variable));
  return static_cast<Index>(variables_.size()) - 1;
}

const std::shared_ptr<Variable>& Graph::variable_of(const Node& node) const {
  return variables_[attributes::parameter::of(node.attrs).slot];
}

const Constant& Graph::constant_of(const Node& node) const {
  return *constants_[attributes::constant::of(node.attrs).slot];
}

std::optional<double> Graph::scalar_of(ValueId value) const {
  const Node& node = producer(value);
  if (node.op != Op::constant || type(value).count() != 1) return std::nullopt;
  return decode(constant_of(node));
}

Graph Graph::sibling() const {
  Graph graph;
  graph.variables_ = variables_;
  graph.constants_ = constants_;
  graph.resources_ = resources_;
  return graph;
}

}  // namespace athanor

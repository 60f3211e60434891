#include "graph/print.h"

namespace athanor {
namespace {

std::string name_of(ValueId value) { return "%" + std::to_string(value); }

std::string source_name(const Graph& graph, const Node& node) {
  if (node.op == Op::parameter) return "\"" + graph.variable_of(node)->name() + "\"";
  if (node.op == Op::constant) {
    const auto scalar = graph.scalar_of(node.output());
    return scalar ? to_string(Attrs{{"value", *scalar}}) : "…";
  }
  return to_string(node.attrs);
}

// The instructions of a body: "t0 = add(raw, %7); t1 = relu(t0)".
std::string print_body(const Node& node) {
  const Body& body = *node.body;
  const auto argument = [&](int index) -> std::string {
    if (index >= body.inputs) return "t" + std::to_string(index - body.inputs);
    return body.node_inputs[index] == Body::kRaw ? "raw" : name_of(node.inputs[body.node_inputs[index]]);
  };
  std::string text;
  for (std::size_t i = 0; i < body.instructions.size(); ++i) {
    const Body::Instruction& instruction = body.instructions[i];
    text += (i > 0 ? "; t" : "t") + std::to_string(i) + " = " + info(instruction.op).name + "(";
    for (int k = 0; k < instruction.arity; ++k) text += (k > 0 ? ", " : "") + argument(instruction.args[k]);
    text += ")";
  }
  return text + " -> " + [&] {
    std::string results;
    for (const int result : body.results) results += (results.empty() ? "" : ", ") + argument(result);
    return results;
  }();
}

std::string operands(const Node& node) {
  std::string text;
  for (const ValueId input : node.inputs) text += (text.empty() ? "" : ", ") + name_of(input);
  return text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? "\\n" : std::string(1, c);
  }
  return result;
}

}  // namespace

std::string print_text(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    for (int i = 0; i < node.output_count; ++i) {
      text += (i > 0 ? ", " : "") + name_of(node.output(i)) + ": " + to_string(graph.type(node.output(i)));
    }
    text += std::string(node.output_count > 0 ? " = " : "") + info(node.op).name + "(" + operands(node) + ")";
    const std::string attrs = info(node.op).is(kSource) ? source_name(graph, node) : to_string(node.attrs);
    if (!attrs.empty()) text += " {" + attrs + "}";
    if (node.body != nullptr) text += " [" + print_body(node) + "]";
    if (!node.scope.empty()) text += "  # " + node.scope;
    text += "\n";
  }
  text += "return";
  for (const Output& output : graph.outputs) text += " " + output.name + "=" + name_of(output.value);
  return text + "\n";
}

std::string print_dot(const Graph& graph) {
  std::string text = "digraph athanor {\n  rankdir=TB; node [shape=box, fontname=\"monospace\"];\n";
  std::vector<std::size_t> producer(graph.value_count());
  for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    std::string label = info(node.op).name;
    if (info(node.op).is(kSource)) label += " " + source_name(graph, node);
    if (node.body != nullptr) label += " + " + node.attrs.text("fused", "");
    if (!node.scope.empty()) label += "\n" + node.scope;
    for (int i = 0; i < node.output_count; ++i) {
      producer[node.output(i)] = id;
      label += "\n" + to_string(graph.type(node.output(i)));
    }
    text += "  n" + std::to_string(id) + " [label=\"" + escaped(label) + "\"];\n";
    for (const ValueId input : node.inputs) {
      text += "  n" + std::to_string(producer[input]) + " -> n" + std::to_string(id) + ";\n";
    }
  }
  for (const Output& output : graph.outputs) {
    text += "  \"" + escaped(output.name) + "\" [shape=ellipse];\n  n" + std::to_string(producer[output.value]) +
            " -> \"" + escaped(output.name) + "\";\n";
  }
  return text + "}\n";
}

}  // namespace athanor

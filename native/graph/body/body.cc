#include "graph/body/body.h"

#include <array>
#include <optional>
#include <set>

#include "base/error.h"

namespace athanor {
namespace {

// Compiles a body in one pass over its instructions. A value keeps its register from its instruction to its last reader; an
// operand is loaded right before an instruction that reads it and kept while registers are free.
class BodyCompiler {
 public:
  BodyCompiler(const Graph& graph, const Node& node) : graph_(graph), node_(node), body_(*node.body) {}

  BodyProgram compile() {
    program_.compute = compute_type();
    resolve();
    find_last_reads();
    // Operands that are results themselves go first: the last store overwrites the raw product.
    for (int input = 0; input < body_.inputs; ++input) store_results(input, -1);
    for (int i = 0; i < static_cast<int>(body_.instructions.size()); ++i) {
      if (resolved_[body_.inputs + i] != body_.inputs + i) continue;  // an alias of its operand
      emit(i);
      store_results(body_.inputs + i, i);
    }
    check(ew_fault(program_.view()) == nullptr, Code::internal,
          [&] { return std::string("fused: ") + ew_fault(program_.view()); });
    return std::move(program_);
  }

 private:
  const Type& input_type(int input) const {
    const int source = body_.node_inputs[input];
    return source == Body::kRaw ? raw_type_ : graph_.type(node_.inputs[source]);
  }

  DType compute_type() const {
    bool any_float = false, any_i32 = false, any_f64 = false;
    const auto look = [&](DType dtype) {
      any_f64 = any_f64 || dtype == DType::f64;
      any_float = any_float || dtype == DType::f32 || dtype == DType::bf16;
      any_i32 = any_i32 || dtype == DType::i32;
    };
    for (int input = 0; input < body_.inputs; ++input) look(input_type(input).dtype);
    for (const Body::Instruction& instruction : body_.instructions) look(instruction.dtype);
    return any_f64 ? DType::f64 : any_i32 && !any_float ? DType::i32 : DType::f32;
  }

  // A cast that only changes how a value is loaded or stored, and a broadcast, are their operand.
  static bool is_alias(const Body::Instruction& instruction) {
    return instruction.op == Op::broadcast_to || (instruction.op == Op::cast && instruction.dtype != DType::boolean);
  }

  void resolve() {
    const int count = body_.inputs + static_cast<int>(body_.instructions.size());
    resolved_.resize(count);
    for (int value = 0; value < count; ++value) {
      const Body::Instruction* instruction = value < body_.inputs ? nullptr : &body_.instructions[value - body_.inputs];
      resolved_[value] = instruction != nullptr && is_alias(*instruction) ? resolved_[instruction->args[0]] : value;
    }
    last_read_.assign(count, -1);
    register_.assign(count, -1);
  }

  void find_last_reads() {
    for (int i = 0; i < static_cast<int>(body_.instructions.size()); ++i) {
      const Body::Instruction& instruction = body_.instructions[i];
      if (is_alias(instruction)) continue;
      for (int k = 0; k < instruction.arity; ++k) last_read_[resolved_[instruction.args[k]]] = i;
    }
  }

  int operand(BodyOperand::Kind kind, int index, DType dtype) {
    for (std::size_t i = 0; i < program_.operands.size(); ++i) {
      if (program_.operands[i].kind == kind && program_.operands[i].index == index) return static_cast<int>(i);
    }
    program_.operands.push_back({kind, index});
    program_.types.push_back(dtype);
    return static_cast<int>(program_.operands.size()) - 1;
  }

  std::uint8_t take_register(int value) {
    for (int r = 0; r < kEwMaxRegisters; ++r) {
      if (holder_[r] < 0) return hold(r, value);
    }
    for (int r = 0; r < kEwMaxRegisters; ++r) {  // an operand can be loaded again
      if (holder_[r] < body_.inputs && !pinned_[r]) {
        register_[holder_[r]] = -1;
        return hold(r, value);
      }
    }
    throw Error(Code::internal, "fused: out of registers");
  }

  std::uint8_t hold(int r, int value) {
    holder_[r] = value;
    register_[value] = r;
    pinned_[r] = true;
    return static_cast<std::uint8_t>(r);
  }

  std::uint8_t read(int value) {
    value = resolved_[value];
    if (register_[value] >= 0) {
      pinned_[register_[value]] = true;
      return static_cast<std::uint8_t>(register_[value]);
    }
    const int source = body_.node_inputs[value];
    const std::uint8_t r = take_register(value);
    const std::optional<double> constant = source == Body::kRaw ? std::nullopt : graph_.scalar_of(node_.inputs[source]);
    EwInstruction load{EwOp::load, r};
    if (constant) {
      load.op = EwOp::constant;
      load.imm = *constant;
    } else {
      const auto kind = source == Body::kRaw ? BodyOperand::Kind::raw : BodyOperand::Kind::input;
      load.index =
          static_cast<std::uint32_t>(operand(kind, source == Body::kRaw ? 0 : source, input_type(value).dtype));
    }
    program_.code.push_back(load);
    return r;
  }

  void emit(int i) {
    const Body::Instruction& instruction = body_.instructions[i];
    pinned_.fill(false);
    EwInstruction out{*info(instruction.op).rule->instruction};
    const auto arg = [&](int k) { return k < instruction.arity ? read(instruction.args[k]) : std::uint8_t{0}; };
    out.a = arg(0);
    out.b = arg(1);
    out.c = arg(2);
    if (instruction.op == Op::random_uniform) out.index = static_cast<std::uint32_t>(instruction.key);
    if (instruction.op == Op::cast) {  // to bool
      out.op = EwOp::ne;
      out.b = take_register(body_.inputs + i);  // the zero, overwritten by the result
      program_.code.push_back({EwOp::constant, out.b});
      out.dst = out.b;
    } else {
      out.dst = take_register(body_.inputs + i);
    }
    program_.code.push_back(out);
    release(i);
  }

  void release(int i) {
    for (int r = 0; r < kEwMaxRegisters; ++r) {
      const int value = holder_[r];
      if (value < 0 || last_read_[value] > i || is_result(value)) continue;
      if (value == body_.inputs + i && last_read_[value] >= 0) continue;
      free_register(value);
    }
  }

  void free_register(int value) {
    holder_[register_[value]] = -1;
    register_[value] = -1;
  }

  bool is_result(int value) const {
    for (const int result : body_.results) {
      if (resolved_[result] == value && !stored_.contains(value)) return true;
    }
    return false;
  }

  void store_results(int value, int now) {
    for (std::size_t index = 0; index < body_.results.size(); ++index) {
      if (resolved_[body_.results[index]] != value) continue;
      pinned_.fill(false);
      const std::uint8_t from = read(value);
      const DType dtype = graph_.type(node_.output(static_cast<int>(index))).dtype;
      EwInstruction store{EwOp::store, 0, from};
      store.index = static_cast<std::uint32_t>(operand(BodyOperand::Kind::output, static_cast<int>(index), dtype));
      program_.code.push_back(store);
    }
    stored_.insert(value);
    if (register_[value] >= 0 && last_read_[value] <= now) free_register(value);
  }

  const Graph& graph_;
  const Node& node_;
  const Body& body_;
  const Type raw_type_{DType::f32, {}};
  BodyProgram program_;
  std::vector<int> resolved_;  // of every argument index: the one whose register holds it
  std::vector<int> last_read_;
  std::vector<int> register_;
  std::set<int> stored_;
  std::array<int, kEwMaxRegisters> holder_ = [] {
    std::array<int, kEwMaxRegisters> none{};
    none.fill(-1);
    return none;
  }();
  std::array<bool, kEwMaxRegisters> pinned_{};
};

}  // namespace

BodyProgram lower_body(const Graph& graph, const Node& node) { return BodyCompiler(graph, node).compile(); }

}  // namespace athanor

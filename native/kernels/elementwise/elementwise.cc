// What is done to elementwise programs once, when they are lowered: checking and flattening.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>

namespace athanor {

namespace {

bool mergeable(const EwArgs& args, int outer, int inner) {
  for (int i = 0; i < args.program.operands; ++i) {
    const Index* strides = args.operands[i].strides;
    if (strides[outer] != strides[inner] * args.shape[inner]) return false;
  }
  return true;
}

// Walks a program with what every register holds: a sum of operands (one for a plain load), or the function of a sum.
class SumReader {
 public:
  EwSum read(const EwProgram& program) {
    if (program.compute != DType::f32) return {};
    for (int i = 0; i < program.operands; ++i)
      if (program.operand_types[i] != DType::f32) return {};
    for (int k = 0; k < program.length; ++k)
      if (!step(program.code[k])) return {};
    return found_.result >= 0 ? found_ : EwSum{};
  }

 private:
  struct Held {
    EwSum value;
    bool applied = false;  // the function is
  };

  bool step(const EwInstruction& code) {
    const Held& a = registers_[code.a];
    if (code.op == EwOp::load) {
      registers_[code.dst] = {};
      registers_[code.dst].value.terms = 1;
      registers_[code.dst].value.term[0] = static_cast<std::uint8_t>(code.index);
      return true;
    }
    if (code.op == EwOp::store) return store(a, static_cast<std::int8_t>(code.index));
    if (code.op == EwOp::add) return add(code);
    if (part_of(code.op) != EwPart::sum || a.applied) return false;
    Held result = a;
    if (inputs_of(code.op) == 2) {
      const Held& other = registers_[code.b];
      if (other.applied || other.value.terms != 1) return false;
      result.value.other = static_cast<std::int8_t>(other.value.term[0]);
    }
    result.value.function = code.op;
    result.applied = true;
    registers_[code.dst] = result;
    return true;
  }

  // Sums of two sums would be added in another order.
  bool add(const EwInstruction& code) {
    const Held &a = registers_[code.a], &b = registers_[code.b];
    const bool first = a.value.terms >= b.value.terms;
    Held sum = first ? a : b;
    const Held& one = first ? b : a;
    if (sum.applied || one.applied || one.value.terms != 1 || sum.value.terms == EwSum::kMaxTerms) return false;
    sum.value.term[sum.value.terms++] = one.value.term[0];
    registers_[code.dst] = sum;
    return true;
  }

  // One store of the result, and before it at most one of the sum that the function took.
  bool store(const Held& held, std::int8_t operand) {
    if (found_.result >= 0) {
      const bool same = found_.terms == held.value.terms && found_.function == EwOp::copy && held.applied &&
                        std::equal(found_.term, found_.term + found_.terms, held.value.term);
      if (!same || found_.sum >= 0) return false;
      const std::int8_t sum = found_.result;
      found_ = held.value;
      found_.sum = sum;
    } else {
      found_ = held.value;
    }
    found_.result = operand;
    return true;
  }

  Held registers_[kEwMaxRegisters];
  EwSum found_;
};

}  // namespace

void ew_collapse(EwArgs& args) {
  int rank = 0;
  const auto move = [&](int from, int to) {
    args.shape[to] = args.shape[from];
    for (EwOperand& operand : args.operands) operand.strides[to] = operand.strides[from];
  };
  for (int d = 0; d < args.rank; ++d) {
    if (args.shape[d] == 1) continue;
    move(d, rank);
    if (rank > 0 && mergeable(args, rank - 1, rank)) {
      const Index outer = args.shape[rank - 1];
      move(rank, rank - 1);
      args.shape[rank - 1] *= outer;
    } else {
      ++rank;
    }
  }
  args.rank = rank;
}

const char* ew_fault(const EwProgram& program) {
  if (program.compute != DType::f32 && program.compute != DType::f64 && program.compute != DType::i32)
    return "the compute type must be f32, f64 or i32";
  if (program.length < 0 || program.length > kEwMaxLength) return "too many instructions";
  if (program.operands < 0 || program.operands > kEwMaxOperands) return "too many operands";
  unsigned written = 0;
  for (int k = 0; k < program.length; ++k) {
    const EwInstruction& step = program.code[k];
    const std::uint8_t inputs[3] = {step.a, step.b, step.c};
    for (int i = 0; i < inputs_of(step.op); ++i) {
      if (inputs[i] >= kEwMaxRegisters) return "an input register is out of range";
      if (!(written >> inputs[i] & 1u)) return "a register is read before it is written";
    }
    const bool touches_operand = step.op == EwOp::load || step.op == EwOp::store;
    if (touches_operand && static_cast<int>(step.index) >= program.operands) return "an operand is out of range";
    if (program.compute == DType::i32 && types_of(step.op) == EwTypes::floats)
      return "a floating-point instruction in an i32 program";
    if (step.op == EwOp::store) continue;
    if (step.dst >= kEwMaxRegisters) return "a result register is out of range";
    written |= 1u << step.dst;
  }
  return nullptr;
}

EwSum ew_as_sum(const EwProgram& program) { return SumReader().read(program); }

}  // namespace athanor

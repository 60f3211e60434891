// The interpreter of elementwise programs. A register is a pointer: to its strip of kEwStrip elements on the stack, or, for an
// operand of the compute type that lies contiguous, straight into memory; the last instruction before a store writes straight
// to memory too. So a program of one instruction moves no byte twice. Constants and scalars are filled in once a call.
// A piece is what is evaluated at a time: a strip of the flattened nest, ending with the row where rows are long.
#pragma once
#include "kernels/elementwise/elementwise_operand.inl.h"
#include "kernels/elementwise/random.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

enum class EwAccess : std::uint8_t { linear, scalar, nest };

template <class T>
struct EwInputs {
  const T *a, *b, *c;  // null beyond the instruction's inputs
};

// Everything but what the machine does itself, defined for T where the machine is used. d may be a, b or c. Addresses come in registers:
// read from memory behind the jump to the operation they cost a twentieth of a strip of cheap ones.
template <class T>
void evaluate(EwOp op, T* d, const T* a, const T* b, const T* c, Index n);

// T is the compute type.
template <class T>
class EwMachine {
 public:
  EwMachine(const EwProgram& program, const EwRandom& random, Index longest)
      : program_(program), random_(random), fill_(longest < kEwStrip ? longest : kEwStrip) {}

  void bind(int operand, void* data, EwAccess access, const Index* strides) {
    data_[operand] = static_cast<std::uint8_t*>(data);
    access_[operand] = access;
    strides_[operand] = strides;
  }

  // To be called after all operands are bound, before the first piece.
  void prepare() {
    int writes[kEwMaxRegisters] = {};
    for (int k = 0; k < program_.length; ++k) {
      const EwInstruction& step = program_.code[k];
      forward_[k] = -1;
      done_[k] = false;
      keep_[k] = step.op == EwOp::load && read_after_store(k);
      if (step.op != EwOp::store) ++writes[step.dst];
    }
    for (int k = 0; k < program_.length; ++k) {
      const EwInstruction& step = program_.code[k];
      if (step.op == EwOp::store) {
        find_producer(k);
      } else if (writes[step.dst] == 1) {
        hoist(k);
      }
    }
  }

  // Elements [begin, begin + n), n <= kEwStrip; they lie in one row of the nest where `in_row`.
  void run_piece(Index begin, Index n, const Nest& nest, bool in_row) {
    for (int k = 0; k < program_.length; ++k) {
      if (done_[k]) continue;
      const EwInstruction& step = program_.code[k];
      T* d = strips_[step.dst];
      if (forward_[k] >= 0) {
        T* direct = in_memory(forward_[k], begin, nest, in_row);
        if (direct != nullptr) d = direct;
      }
      if (step.op == EwOp::load) {
        registers_[step.dst] = load(step.index, d, begin, n, nest, in_row, forward_[k] >= 0 || keep_[k]);
        continue;
      }
      if (step.op == EwOp::store) {
        store(step, begin, n, nest, in_row);
        continue;
      }
      if (step.op == EwOp::constant) {
        fill(d, static_cast<T>(step.imm), n);
      } else if (step.op == EwOp::iota) {
        for (Index i = 0; i < n; ++i) d[i] = static_cast<T>(begin + i);
      } else if (step.op == EwOp::random_uniform) {
        const PhiloxStream stream{random_.seed, random_.step, step.index};
        uniform_strip(stream, begin + static_cast<Index>(random_.first), d, n);
      } else {
        compute(step, d, n);
      }
      registers_[step.dst] = d;
    }
  }

 private:
  // An instruction may write its result straight to the operand of a later store, when nothing in between or after could still
  // read what that overwrites (in-place): no load, and no register that may point into memory.
  void find_producer(int store) {
    const EwInstruction& step = program_.code[store];
    if (program_.operand_types[step.index] != program_.compute || access_[step.index] == EwAccess::scalar) return;
    int producer = store - 1;
    while (producer >= 0 && (program_.code[producer].op == EwOp::store || program_.code[producer].dst != step.a))
      --producer;
    if (producer < 0 || done_[producer] || forward_[producer] >= 0) return;
    if (program_.code[producer].op == EwOp::load &&
        program_.operand_types[program_.code[producer].index] == program_.compute)
      return;  // no instruction to move
    for (int k = producer + 1; k < program_.length; ++k) {
      const EwInstruction& later = program_.code[k];
      if (later.op == EwOp::load) return;
      const std::uint8_t inputs[3] = {later.a, later.b, later.c};
      for (int i = 0; i < inputs_of(later.op); ++i)
        if (inputs[i] != step.a && loaded_before(k, inputs[i])) return;
    }
    forward_[producer] = static_cast<std::int8_t>(step.index);
  }

  // Whether the register that load k fills is still read after some store, which may have overwritten the loaded memory.
  bool read_after_store(int k) const {
    bool stored = false;
    for (int j = k + 1; j < program_.length; ++j) {
      const EwInstruction& step = program_.code[j];
      const std::uint8_t inputs[3] = {step.a, step.b, step.c};
      for (int i = 0; i < inputs_of(step.op); ++i)
        if (stored && inputs[i] == program_.code[k].dst) return true;
      if (step.op != EwOp::store && step.dst == program_.code[k].dst) return false;
      stored = stored || step.op == EwOp::store;
    }
    return false;
  }

  bool loaded_before(int k, int reg) const {
    for (int j = k - 1; j >= 0; --j) {
      const EwInstruction& step = program_.code[j];
      if (step.op != EwOp::store && step.dst == reg) return step.op == EwOp::load;
    }
    return false;
  }

  void hoist(int k) {
    const EwInstruction& step = program_.code[k];
    T* d = strips_[step.dst];
    if (step.op == EwOp::constant) {
      fill(d, static_cast<T>(step.imm), fill_);
    } else if (step.op == EwOp::load && access_[step.index] == EwAccess::scalar) {
      load_scalar(step.index, d, fill_);
    } else {
      return;
    }
    registers_[step.dst] = d;
    done_[k] = true;
  }

  void load_scalar(int operand, T* d, Index n) {
    with_type(program_.operand_types[operand], [&](auto tag) {
      using S = typename decltype(tag)::Type;
      fill(d, loaded<T>(*reinterpret_cast<const S*>(data_[operand])), n);
    });
  }

  // Where the piece of an operand of the compute type begins, null where it is not contiguous.
  T* in_memory(int operand, Index begin, const Nest& nest, bool in_row) const {
    T* data = reinterpret_cast<T*>(data_[operand]);
    if (access_[operand] == EwAccess::linear) return data + begin;
    const Index* strides = strides_[operand];
    if (access_[operand] != EwAccess::nest || !in_row || strides[nest.rank - 1] != 1) return nullptr;
    Index offset = 0;
    for (int d = nest.rank - 1; d >= 0; --d) {
      offset += begin % nest.shape[d] * strides[d];
      begin /= nest.shape[d];
    }
    return data + offset;
  }

  const T* load(int operand, T* d, Index begin, Index n, const Nest& nest, bool in_row, bool must_write) {
    const DType dtype = program_.operand_types[operand];
    if (dtype == program_.compute && !must_write) {
      const T* direct = in_memory(operand, begin, nest, in_row);
      if (direct != nullptr) return direct;
    }
    if (access_[operand] == EwAccess::scalar) {
      load_scalar(operand, d, n);
    } else if (access_[operand] == EwAccess::linear) {
      with_type(dtype, [&](auto tag) {
        using S = typename decltype(tag)::Type;
        load_run(d, reinterpret_cast<const S*>(data_[operand]) + begin, n);
      });
    } else {
      gather(d, data_[operand], dtype, nest, strides_[operand], begin, n);
    }
    return d;
  }

  void store(const EwInstruction& step, Index begin, Index n, const Nest& nest, bool in_row) {
    const int operand = static_cast<int>(step.index);
    const T* source = registers_[step.a];
    const DType dtype = program_.operand_types[operand];
    if (dtype == program_.compute) {
      T* direct = in_memory(operand, begin, nest, in_row);
      if (direct == source) return;  // its producer wrote it
      if (direct != nullptr) return store_run(direct, source, n);
    }
    if (access_[operand] == EwAccess::linear) {
      with_type(dtype, [&](auto tag) {
        using S = typename decltype(tag)::Type;
        store_run(reinterpret_cast<S*>(data_[operand]) + begin, source, n);
      });
    } else if (access_[operand] == EwAccess::scalar) {
      with_type(dtype, [&](auto tag) {
        using S = typename decltype(tag)::Type;
        *reinterpret_cast<S*>(data_[operand]) = stored<S>(source[n - 1]);
      });
    } else {
      scatter(source, data_[operand], dtype, nest, strides_[operand], begin, n);
    }
  }

  void compute(const EwInstruction& step, T* d, Index n) {
    const int inputs = inputs_of(step.op);
    const T* a = registers_[step.a];
    const T* b = inputs > 1 ? registers_[step.b] : nullptr;
    const T* c = inputs > 2 ? registers_[step.c] : nullptr;
    evaluate<T>(step.op, d, a, b, c, n);
  }

  const EwProgram& program_;
  const EwRandom random_;
  const Index fill_;
  std::uint8_t* data_[kEwMaxOperands];
  const Index* strides_[kEwMaxOperands];
  EwAccess access_[kEwMaxOperands];
  std::int8_t forward_[kEwMaxLength];  // the operand that the instruction writes straight to, -1: none
  bool done_[kEwMaxLength];            // hoisted out of the pieces
  bool keep_[kEwMaxLength];            // a load that must copy
  const T* registers_[kEwMaxRegisters];
  alignas(64) T strips_[kEwMaxRegisters][kEwStrip];
};

EwAccess access_of(const EwArgs& args, const EwOperand& operand) {
  bool scalar = true, linear = true;
  Index expected = 1;
  for (int d = args.rank - 1; d >= 0; --d) {
    if (args.shape[d] != 1) {
      scalar = scalar && operand.strides[d] == 0;
      linear = linear && operand.strides[d] == expected;
    }
    expected *= args.shape[d];
  }
  return linear ? EwAccess::linear : scalar ? EwAccess::scalar : EwAccess::nest;
}

template <class T>
void run_range_typed(const EwArgs& args, Index begin, Index end) {
  EwMachine<T> machine(args.program, args.random, end - begin);
  bool all_linear = true;
  for (int i = 0; i < args.program.operands; ++i) {
    const EwAccess access = access_of(args, args.operands[i]);
    machine.bind(i, args.operands[i].data, access, args.operands[i].strides);
    all_linear = all_linear && access != EwAccess::nest;
  }
  machine.prepare();
  const Nest nest{args.rank, args.shape};
  const Index row = args.rank > 0 ? args.shape[args.rank - 1] : 1;
  const bool in_row = !all_linear && row >= kEwStrip / 4;  // shorter rows would make the strips too short
  while (begin < end) {
    Index n = end - begin < kEwStrip ? end - begin : kEwStrip;
    if (in_row) {
      const Index left = row - begin % row;
      n = left < n ? left : n;
    }
    machine.run_piece(begin, n, nest, in_row);
    begin += n;
  }
}

template <class T>
void run_row_typed(const EwProgram& program, void* const* pointers, std::uint32_t scalars, Index n, Index first,
                   const EwRandom& random) {
  EwMachine<T> machine(program, random, n);
  for (int i = 0; i < program.operands; ++i) {
    const bool scalar = scalars >> i & 1;
    // Linear operands are addressed from element `first` on.
    std::uint8_t* data = static_cast<std::uint8_t*>(pointers[i]);
    if (!scalar) data -= first * size_of(program.operand_types[i]);
    machine.bind(i, data, scalar ? EwAccess::scalar : EwAccess::linear, nullptr);
  }
  machine.prepare();
  const Nest nest{0, nullptr};
  for (Index i = 0; i < n; i += kEwStrip)
    machine.run_piece(first + i, n - i < kEwStrip ? n - i : kEwStrip, nest, false);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE

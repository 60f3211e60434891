// Elementwise programs: a fused chain of elementwise ops is a short list of register instructions, evaluated a strip of
// kEwStrip elements at a time, so that intermediate values live in L1 (the scheme of numexpr). The same program runs over a
// loop nest of broadcast operands (run), or over one row segment as the epilogue of a matrix product (run_row).
//
// Inputs are converted to the program's compute type when loaded, results to the operand's type when stored:
//   to i32 from floats: towards zero, saturated, NaN becomes 0; to u8 from floats: the same, from i32: the low 8 bits;
//   to bool: x != 0 (NaN is true); to bf16: nearest even.
// Every element is computed from its own inputs alone: the same bits for any split, strip or neighbour.
// f32 functions are within 2 ulp of the exact value, tanh, sigmoid and silu within 3 (silu while sigmoid(a) is no subnormal). gelu, gelu_tanh
// and the gradients are accurate like their formulas: a few ulp of their largest term. f64 programs use the C library.
// Where the thread flushes subnormals, they count as zeros here too.
#pragma once
#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

enum class EwOp : std::uint8_t {
#define EW_OP(name, ...) name,
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
};

constexpr int inputs_of(EwOp op) {
  constexpr int kInputs[] = {
#define EW_OP(name, inputs, ...) inputs,
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  };
  return kInputs[static_cast<int>(op)];
}

enum class EwTypes : std::uint8_t { all, floats };
enum class EwPart : std::uint8_t { machine, function, sum };

constexpr EwTypes types_of(EwOp op) {
  constexpr EwTypes kTypes[] = {
#define EW_OP(name, inputs, types, part) EwTypes::types,
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  };
  return kTypes[static_cast<int>(op)];
}

constexpr EwPart part_of(EwOp op) {
  constexpr EwPart kParts[] = {
#define EW_OP(name, inputs, types, part) EwPart::part,
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  };
  return kParts[static_cast<int>(op)];
}

constexpr const char* name_of(EwOp op) {
  constexpr const char* kNames[] = {
#define EW_OP(name, ...) #name,
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  };
  return kNames[static_cast<int>(op)];
}

inline constexpr int kEwStrip = 512;        // elements
inline constexpr int kEwMaxRegisters = 16;  // few keep the strips in L1: 8 registers of f32 are 16 KiB
inline constexpr int kEwMaxOperands = 16;
inline constexpr int kEwMaxLength = 64;

struct EwInstruction {
  EwOp op = EwOp::copy;
  std::uint8_t dst = 0;              // register; may equal an input; unused by store
  std::uint8_t a = 0, b = 0, c = 0;  // input registers
  std::uint32_t index = 0;  // load, store: the operand; random_uniform: the stream, one a random op of the graph
  double imm = 0;           // constant
};

// A register holds a value once an instruction has written it. A stored operand may be the very elements of a loaded one of the
// same element size (in-place); then every load of those elements stands before the store. They must not overlap otherwise.
struct EwProgram {
  DType compute = DType::f32;  // f32, f64 or i32
  int length = 0;
  const EwInstruction* code = nullptr;
  int operands = 0;
  const DType* operand_types = nullptr;
};

// The run-time part of random_uniform.
struct EwRandom {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint64_t first = 0;  // element of the stream that element 0 of the tensor is
};

struct EwOperand {
  void* data = nullptr;          // of the program's operand type; not written where it is only loaded
  Index strides[kMaxRank] = {};  // in elements; 0 broadcasts
};

// Elements are numbered in row-major order of shape; that number is the linear index of iota and random_uniform.
struct EwArgs {
  EwProgram program;
  int rank = 0;
  Index shape[kMaxRank] = {};
  EwOperand operands[kEwMaxOperands];
  EwRandom random;

  constexpr Index size() const {
    Index n = 1;
    for (int i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
};

// Drops dimensions of size 1 and merges neighbours that every operand walks as one: the same elements in the same order, in a
// nest as flat as can be. To be called once, when a program is lowered.
void ew_collapse(EwArgs& args);

// Null where the program is well-formed (registers written before they are read, operands and sizes in range, no
// floating-point op in an i32 program), else what is wrong with it. The kernels below trust a program.
const char* ew_fault(const EwProgram& program);

// What most epilogues are: a sum of a few f32 operands and one function of it. Run without the interpreter, whose setting up
// costs more than the short rows of a matrix product's tiles; the bits are the same.
struct EwSum {
  static constexpr int kMaxTerms = 4;
  int terms = 0;                      // 0: the program is something else
  std::uint8_t term[kMaxTerms] = {};  // operands, added from left to right
  EwOp function = EwOp::copy;         // of the sum, and of operand `other` where it takes two
  std::int8_t other = -1;
  std::int8_t sum = -1;  // the operand that the sum is stored to as well, if any
  std::int8_t result = -1;
};
EwSum ew_as_sum(const EwProgram& program);

struct ElementwiseKernels {
  // All elements, cut into tasks by size alone.
  void (*run)(const EwArgs& args, Parallel& parallel) = nullptr;

  // The elements [begin, end) of the nest, on this thread.
  void (*run_range)(const EwArgs& args, Index begin, Index end) = nullptr;

  // n elements of contiguous operands: operand i starts at pointers[i], or is one value for all where bit i of `scalars` is set.
  // `first` is the linear index of the first element.
  void (*run_row)(const EwProgram& program, void* const* pointers, std::uint32_t scalars, Index n, Index first,
                  const EwRandom& random) = nullptr;

  // The same for a program that ew_as_sum knows.
  void (*run_sum)(const EwSum& sum, void* const* pointers, std::uint32_t scalars, Index n) = nullptr;
};

}  // namespace athanor

// The short cut of epilogues: which programs it takes, and that it gives the interpreter's bits.
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "test/isas.h"
#include "test/test.h"

using namespace athanor;
using namespace athanor::test;

namespace {

EwInstruction load(int dst, int operand) {
  return {.op = EwOp::load, .dst = static_cast<std::uint8_t>(dst), .index = static_cast<std::uint32_t>(operand)};
}
EwInstruction store(int source, int operand) {
  return {.op = EwOp::store, .a = static_cast<std::uint8_t>(source), .index = static_cast<std::uint32_t>(operand)};
}
EwInstruction op(EwOp which, int dst, int a, int b = 0) {
  return {.op = which,
          .dst = static_cast<std::uint8_t>(dst),
          .a = static_cast<std::uint8_t>(a),
          .b = static_cast<std::uint8_t>(b)};
}

constexpr DType kTypes[] = {DType::f32, DType::f32, DType::f32, DType::f32, DType::f32, DType::f32};

EwProgram program_of(const std::vector<EwInstruction>& code) {
  return {DType::f32, static_cast<int>(code.size()), code.data(), 6, kTypes};
}

// Operand 0 is the row itself, overwritten by the result; 1 to 4 are read; 5 takes the sum.
std::vector<std::vector<EwInstruction>> programs() {
  std::vector<std::vector<EwInstruction>> all = {
      {load(0, 0), load(1, 1), op(EwOp::add, 2, 0, 1), store(2, 0)},
      {load(0, 0), load(1, 1), op(EwOp::add, 0, 0, 1), load(1, 2), op(EwOp::add, 0, 1, 0), store(0, 0)},
      {load(0, 0), load(1, 1), load(2, 2), load(3, 3), op(EwOp::add, 0, 0, 1), op(EwOp::add, 0, 0, 2),
       op(EwOp::add, 0, 0, 3), op(EwOp::relu, 0, 0), store(0, 0)},
  };
  for (const EwOp f : {EwOp::relu, EwOp::gelu, EwOp::gelu_tanh, EwOp::silu}) {
    all.push_back({load(0, 0), op(f, 1, 0), store(1, 0)});
    all.push_back({load(0, 0), load(1, 1), op(EwOp::add, 0, 0, 1), op(f, 1, 0), store(1, 0)});
    all.push_back({load(0, 0), load(1, 1), op(EwOp::add, 0, 0, 1), store(0, 5), op(f, 1, 0), store(1, 0)});
  }
  for (const EwOp f : {EwOp::relu_grad, EwOp::gelu_grad, EwOp::gelu_tanh_grad, EwOp::silu_grad}) {
    all.push_back({load(0, 0), load(1, 4), op(f, 0, 0, 1), store(0, 0)});
    all.push_back({load(0, 0), load(1, 1), op(EwOp::add, 0, 0, 1), load(1, 4), op(f, 0, 0, 1), store(0, 0)});
  }
  return all;
}

std::vector<float> numbers(Index n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = normal(generator);
  return values;
}

}  // namespace

TEST(elementwise_sum_gives_the_bits_of_the_interpreter) {
  for_each_isa([&](const KernelTable& table) {
    for (const auto& code : programs()) {
      const EwProgram program = program_of(code);
      const EwSum sum = ew_as_sum(program);
      CHECK(sum.terms > 0);
      for (const Index n : {1, 7, 8, 16, 17, 64, 100, 1000}) {
        for (const std::uint32_t scalars : {0u, 2u, 4u, 14u, 16u}) {
          std::vector<std::vector<float>> a, b;
          for (unsigned i = 0; i < 6; ++i) a.push_back(numbers(n + 1, 10 * i + 1));
          b = a;
          void *from[6], *to[6];
          for (int i = 0; i < 6; ++i) from[i] = a[i].data(), to[i] = b[i].data();
          table.elementwise.run_row(program, from, scalars, n, 0, {});
          table.elementwise.run_sum(sum, to, scalars, n);
          for (int i = 0; i < 6; ++i) CHECK(std::memcmp(a[i].data(), b[i].data(), a[i].size() * 4) == 0);
        }
      }
    }
  });
}

TEST(elementwise_sum_leaves_other_programs_alone) {
  const auto terms = [](std::vector<EwInstruction> code) { return ew_as_sum(program_of(code)).terms; };
  CHECK_EQ(terms({load(0, 0), load(1, 1), op(EwOp::mul, 0, 0, 1), store(0, 0)}), 0);
  CHECK_EQ(terms({load(0, 0), op(EwOp::exp, 0, 0), store(0, 0)}), 0);
  CHECK_EQ(terms({load(0, 0), op(EwOp::relu, 0, 0), op(EwOp::relu, 0, 0), store(0, 0)}), 0);
  CHECK_EQ(terms({load(0, 0), op(EwOp::relu, 0, 0), load(1, 1), op(EwOp::add, 0, 0, 1), store(0, 0)}), 0);
  CHECK_EQ(terms({load(0, 0), op(EwOp::relu, 1, 0), store(1, 0), store(0, 5)}), 0);  // the sum after the result
  CHECK_EQ(terms({load(0, 0), load(1, 1), store(0, 5), op(EwOp::add, 0, 0, 1), op(EwOp::relu, 0, 0), store(0, 0)}), 0);
  // (a + b) + (c + d) is summed in another order.
  CHECK_EQ(terms({load(0, 0), load(1, 1), load(2, 2), load(3, 3), op(EwOp::add, 0, 0, 1), op(EwOp::add, 2, 2, 3),
                  op(EwOp::add, 0, 0, 2), store(0, 0)}),
           0);
  const DType mixed[] = {DType::f32, DType::bf16};
  const std::vector<EwInstruction> code = {load(0, 0), load(1, 1), op(EwOp::add, 0, 0, 1), store(0, 0)};
  CHECK_EQ(ew_as_sum({DType::f32, 4, code.data(), 2, mixed}).terms, 0);
}

// Elementwise programs against a plain element-by-element evaluation: broadcasting nests, element types, in-place stores, random
// streams, and independence of how the work is split. Long because every case shares the small program builders at the top.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "base/half.h"
#include "base/philox.h"
#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr float kGuard = -12345.5f;

EwInstruction load(int dst, int operand) {
  return {.op = EwOp::load, .dst = static_cast<std::uint8_t>(dst), .index = static_cast<std::uint32_t>(operand)};
}
EwInstruction store(int source, int operand) {
  return {.op = EwOp::store, .a = static_cast<std::uint8_t>(source), .index = static_cast<std::uint32_t>(operand)};
}
EwInstruction op(EwOp which, int dst, int a, int b = 0, int c = 0) {
  return {.op = which,
          .dst = static_cast<std::uint8_t>(dst),
          .a = static_cast<std::uint8_t>(a),
          .b = static_cast<std::uint8_t>(b),
          .c = static_cast<std::uint8_t>(c)};
}
EwInstruction constant(int dst, double value) {
  return {.op = EwOp::constant, .dst = static_cast<std::uint8_t>(dst), .imm = value};
}

EwProgram program_of(DType compute, const std::vector<EwInstruction>& code, std::vector<DType> operand_types) {
  static std::deque<std::vector<DType>> kept;  // programs only point at their types
  const std::vector<DType>& types = kept.emplace_back(std::move(operand_types));
  const EwProgram program{compute, static_cast<int>(code.size()), code.data(), static_cast<int>(types.size()),
                          types.data()};
  const char* fault = ew_fault(program);
  CHECK_MESSAGE(fault == nullptr, fault);
  return program;
}

struct NestCase {
  std::vector<Index> shape;
  std::vector<Index> x, b;  // strides; y is contiguous
};

const std::vector<NestCase> kCases = {
    {{}, {}, {}},
    {{0}, {1}, {1}},
    {{1}, {1}, {0}},
    {{1537}, {1}, {1}},
    {{1537}, {1}, {0}},
    {{7, 600}, {600, 1}, {0, 1}},    // a bias row
    {{600, 7}, {7, 1}, {0, 1}},      // short rows
    {{33, 130}, {130, 1}, {1, 0}},   // a column
    {{33, 130}, {1, 33}, {130, 1}},  // transposed
    {{3, 5, 4, 129}, {2580, 516, 129, 1}, {0, 129, 0, 1}},
    {{2, 3, 1, 5, 2, 1, 3, 2}, {180, 60, 60, 12, 6, 6, 2, 1}, {0, 1, 0, 3, 0, 0, 15, 0}},
    {{64, 1000}, {1000, 1}, {0, 0}},
};

Index offset_of(const std::vector<Index>& shape, const std::vector<Index>& strides, Index i) {
  Index offset = 0;
  for (int d = static_cast<int>(shape.size()) - 1; d >= 0; --d) {
    offset += i % shape[d] * strides[d];
    i /= shape[d];
  }
  return offset;
}

Index span_of(const std::vector<Index>& shape, const std::vector<Index>& strides) {
  Index span = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) return 0;
    span += (shape[d] - 1) * strides[d];
  }
  return span;
}

std::vector<float> numbers(Index n, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = static_cast<float>(static_cast<int>(engine() % 2001) - 1000) / 128;
  return x;
}

EwArgs args_of(const EwProgram& program, const std::vector<Index>& shape) {
  EwArgs args;
  args.program = program;
  args.rank = static_cast<int>(shape.size());
  for (int d = 0; d < args.rank; ++d) args.shape[d] = shape[d];
  return args;
}

void set_operand(EwArgs& args, int i, const void* data, const std::vector<Index>& strides) {
  args.operands[i].data = const_cast<void*>(data);
  for (std::size_t d = 0; d < strides.size(); ++d) args.operands[i].strides[d] = strides[d];
}

std::vector<Index> contiguous(const std::vector<Index>& shape) {
  std::vector<Index> strides(shape.size());
  Index n = 1;
  for (int d = static_cast<int>(shape.size()) - 1; d >= 0; --d) {
    strides[d] = n;
    n *= shape[d];
  }
  return strides;
}

}  // namespace

TEST(elementwise_broadcast_nests) {
  const std::vector<EwInstruction> code = {
      load(0, 0),           load(1, 1), constant(2, 0.75), op(EwOp::mul, 3, 0, 2), op(EwOp::add, 3, 3, 1),
      op(EwOp::relu, 4, 3), store(4, 2)};
  const EwProgram program = program_of(DType::f32, code, {DType::f32, DType::f32, DType::f32});
  for_each_isa([&](const KernelTable& table) {
    for (const NestCase& item : kCases) {
      const std::vector<float> x = numbers(span_of(item.shape, item.x), 1), b = numbers(span_of(item.shape, item.b), 2);
      EwArgs args = args_of(program, item.shape);
      const Index n = args.size();
      std::vector<float> y(static_cast<std::size_t>(n) + 8, kGuard);
      set_operand(args, 0, x.data(), item.x);
      set_operand(args, 1, b.data(), item.b);
      set_operand(args, 2, y.data() + 4, contiguous(item.shape));
      for (int pass = 0; pass < 3; ++pass) {  // as given, collapsed, in pieces
        std::fill(y.begin(), y.end(), kGuard);
        if (pass == 1) ew_collapse(args);
        if (pass < 2) {
          Threads threads(pass == 0 ? 1 : 3);
          table.elementwise.run(args, threads);
        } else {
          for (Index begin = 0; begin < n; begin += 77)
            table.elementwise.run_range(args, begin, std::min(n, begin + 77));
        }
        for (Index i = 0; i < n; ++i) {
          const float v = x[offset_of(item.shape, item.x, i)] * 0.75f + b[offset_of(item.shape, item.b, i)];
          CHECK_EQ(y[i + 4], v > 0 ? v : 0.0f);
        }
        for (int i = 0; i < 4; ++i) CHECK(y[i] == kGuard && y[n + 4 + i] == kGuard);
      }
    }
  });
}

TEST(elementwise_stores_to_strided_memory) {
  const std::vector<EwInstruction> code = {load(0, 0), op(EwOp::neg, 1, 0), store(1, 1), store(0, 2)};
  const EwProgram program = program_of(DType::f32, code, {DType::f32, DType::f32, DType::i32});
  for_each_isa([&](const KernelTable& table) {
    const std::vector<Index> shape = {37, 201};
    const std::vector<float> x = numbers(37 * 201, 3);
    std::vector<float> y(37 * 201);
    std::vector<std::int32_t> z(37 * 300);
    EwArgs args = args_of(program, shape);
    set_operand(args, 0, x.data(), {201, 1});
    set_operand(args, 1, y.data(), {1, 37});
    set_operand(args, 2, z.data(), {300, 1});
    Sequential sequential;
    table.elementwise.run(args, sequential);
    for (Index i = 0; i < 37; ++i)
      for (Index j = 0; j < 201; ++j) {
        CHECK_EQ(y[j * 37 + i], -x[i * 201 + j]);
        CHECK_EQ(z[i * 300 + j], static_cast<std::int32_t>(x[i * 201 + j]));
      }
  });
}

TEST(elementwise_in_place_and_several_stores) {
  // y = exp-free chain over x, written over x while x is still needed by the second output.
  const std::vector<EwInstruction> code = {load(0, 0), op(EwOp::square, 1, 0), store(1, 1), op(EwOp::add, 2, 0, 1),
                                           store(2, 2)};
  const EwProgram program = program_of(DType::f32, code, {DType::f32, DType::f32, DType::f32});
  for_each_isa([&](const KernelTable& table) {
    for (Index n : {1, 15, 511, 512, 513, 5000}) {
      std::vector<float> x = numbers(n, 4), sum(static_cast<std::size_t>(n));
      const std::vector<float> before = x;
      void* pointers[] = {x.data(), x.data(), sum.data()};
      table.elementwise.run_row(program, pointers, 0, n, 0, {});
      for (Index i = 0; i < n; ++i) {
        CHECK_EQ(x[i], before[i] * before[i]);
        CHECK_EQ(sum[i], before[i] + before[i] * before[i]);
      }
    }
  });
}

TEST(elementwise_types_convert_as_documented) {
  const std::vector<float> x = {0.0f,  1.5f, -1.5f,    300.0f,    -300.0f,     254.9f,     3e9f,
                                -3e9f, NAN,  INFINITY, -INFINITY, 1.00390625f, 1.01171875f};
  const Index n = static_cast<Index>(x.size());
  const std::vector<EwInstruction> code = {load(0, 0), store(0, 1), store(0, 2), store(0, 3), store(0, 4), store(0, 5)};
  const EwProgram program =
      program_of(DType::f32, code, {DType::f32, DType::i32, DType::u8, DType::boolean, DType::bf16, DType::f64});
  for_each_isa([&](const KernelTable& table) {
    for (Index repeat : {1, 4}) {  // tails, and full vectors
      std::vector<float> source;
      for (Index r = 0; r < repeat; ++r) source.insert(source.end(), x.begin(), x.end());
      const Index count = n * repeat;
      std::vector<std::int32_t> i(count);
      std::vector<std::uint8_t> u(count), flag(count);
      std::vector<Bf16> h(count);
      std::vector<double> d(count);
      void* pointers[] = {source.data(), i.data(), u.data(), flag.data(), h.data(), d.data()};
      table.elementwise.run_row(program, pointers, 0, count, 0, {});
      const std::vector<std::int32_t> want_i = {0,         1, -1,        300,       -300, 254, INT32_MAX,
                                                INT32_MIN, 0, INT32_MAX, INT32_MIN, 1,    1};
      const std::vector<int> want_u = {0, 1, 0, 255, 0, 254, 255, 0, 0, 255, 0, 1, 1};
      const std::vector<int> want_flag = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
      for (Index k = 0; k < count; ++k) {
        CHECK_EQ(i[k], want_i[k % n]);
        CHECK_EQ(static_cast<int>(u[k]), want_u[k % n]);
        CHECK_EQ(static_cast<int>(flag[k]), want_flag[k % n]);
        if (!std::isnan(source[k])) CHECK_EQ(d[k], static_cast<double>(source[k]));
      }
      CHECK(std::isnan(to_f32(h[8])) && std::isnan(d[8]));
      CHECK_EQ(to_f32(h[11]), 1.0f);       // a tie goes to even
      CHECK_EQ(to_f32(h[12]), 1.015625f);  // and here upwards
      CHECK_EQ(to_f32(h[9]), INFINITY);
      // And back.
      const std::vector<EwInstruction> back = {
          load(0, 0),  load(1, 1), load(2, 2), load(3, 3), load(4, 4), op(EwOp::add, 5, 0, 1), op(EwOp::add, 5, 5, 2),
          store(5, 5), store(3, 6)};
      std::vector<float> total(count), bf(count);
      const EwProgram inverse = program_of(
          DType::f32, back, {DType::i32, DType::u8, DType::boolean, DType::bf16, DType::f64, DType::f32, DType::f32});
      void* more[] = {i.data(), u.data(), flag.data(), h.data(), d.data(), total.data(), bf.data()};
      table.elementwise.run_row(inverse, more, 0, count, 0, {});
      for (Index k = 0; k < count; ++k) {
        CHECK_EQ(total[k], static_cast<float>(i[k]) + static_cast<float>(u[k]) + static_cast<float>(flag[k]));
        if (!std::isnan(source[k])) CHECK_EQ(bf[k], to_f32(h[k]));
      }
    }
  });
}

TEST(elementwise_random_streams_match_the_scalar_generator) {
  const std::vector<EwInstruction> code = {
      {.op = EwOp::random_uniform, .dst = 0, .index = 9}, store(0, 0), {.op = EwOp::iota, .dst = 1}, store(1, 1)};
  const EwProgram program = program_of(DType::f32, code, {DType::f32, DType::f32});
  const EwRandom random{0x0123456789abcdefu, 77};
  const PhiloxStream stream{random.seed, random.step, 9};
  for_each_isa([&](const KernelTable& table) {
    for (Index first : {Index{0}, Index{1}, Index{63}, Index{1000}, Index{64} << 32}) {
      std::vector<float> u(1300), index(1300);
      void* pointers[] = {u.data(), index.data()};
      table.elementwise.run_row(program, pointers, 0, 1300, first, random);
      for (Index i = 0; i < 1300; ++i) {
        CHECK_EQ(u[i], stream.uniform(static_cast<std::uint64_t>(first + i)));
        CHECK_EQ(index[i], static_cast<float>(first + i));
      }
    }
  });
}

TEST(elementwise_f32_operations) {
  struct Row {
    EwOp which;
    float (*exact)(float, float);
  };
  const Row rows[] = {
      {EwOp::add, [](float a, float b) { return a + b; }},
      {EwOp::sub, [](float a, float b) { return a - b; }},
      {EwOp::mul, [](float a, float b) { return a * b; }},
      {EwOp::div, [](float a, float b) { return a / b; }},
      {EwOp::minimum, [](float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b); }},
      {EwOp::maximum, [](float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b); }},
      {EwOp::mod,
       [](float a, float b) {
         const float r = std::fmod(a, b);
         return r != 0 && (r < 0) != (b < 0) ? r + b : r;
       }},
      {EwOp::eq, [](float a, float b) { return a == b ? 1.0f : 0.0f; }},
      {EwOp::ne, [](float a, float b) { return a != b ? 1.0f : 0.0f; }},
      {EwOp::lt, [](float a, float b) { return a < b ? 1.0f : 0.0f; }},
      {EwOp::le, [](float a, float b) { return a <= b ? 1.0f : 0.0f; }},
      {EwOp::gt, [](float a, float b) { return a > b ? 1.0f : 0.0f; }},
      {EwOp::ge, [](float a, float b) { return a >= b ? 1.0f : 0.0f; }},
      {EwOp::logical_and, [](float a, float b) { return a != 0 && b != 0 ? 1.0f : 0.0f; }},
      {EwOp::logical_or, [](float a, float b) { return a != 0 || b != 0 ? 1.0f : 0.0f; }},
      {EwOp::logical_xor, [](float a, float b) { return (a != 0) != (b != 0) ? 1.0f : 0.0f; }},
      {EwOp::relu_grad, [](float a, float b) { return b <= 0 ? 0.0f : a; }},
      {EwOp::sigmoid_grad, [](float a, float b) { return a * b * (1 - b); }},
      {EwOp::add_relu, [](float a, float b) { return a + b < 0 ? 0.0f : a + b; }},
  };
  std::vector<float> a, b;
  const std::vector<float> kinds = {0.0f,  -0.0f,  1.0f,     -1.0f,     2.5f, -2.5f,
                                    1e30f, -1e30f, INFINITY, -INFINITY, NAN,  0.3f};
  for (float x : kinds)
    for (float y : kinds) a.push_back(x), b.push_back(y);
  const Index n = static_cast<Index>(a.size());
  std::vector<float> y(a.size());
  for_each_isa([&](const KernelTable& table) {
    for (const Row& row : rows) {
      const std::vector<EwInstruction> code = {load(0, 0), load(1, 1), op(row.which, 2, 0, 1), store(2, 2)};
      const EwProgram program = program_of(DType::f32, code, {DType::f32, DType::f32, DType::f32});
      void* pointers[] = {a.data(), b.data(), y.data()};
      table.elementwise.run_row(program, pointers, 0, n, 0, {});
      for (Index i = 0; i < n; ++i) {
        const float want = row.exact(a[i], b[i]);
        CHECK_MESSAGE(y[i] == want || (std::isnan(y[i]) && std::isnan(want)),
                      std::string(name_of(row.which)) + "(" + std::to_string(a[i]) + ", " + std::to_string(b[i]) +
                          ") = " + std::to_string(y[i]) + ", expected " + std::to_string(want) + " on " + table.isa);
      }
    }
    const std::vector<EwInstruction> three = {load(0, 0), load(1, 1), load(2, 2), op(EwOp::where, 3, 0, 1, 2),
                                              store(3, 3)};
    const EwProgram program = program_of(DType::f32, three, {DType::f32, DType::f32, DType::f32, DType::f32});
    std::vector<float> c = numbers(n, 9);
    void* pointers[] = {a.data(), b.data(), c.data(), y.data()};
    table.elementwise.run_row(program, pointers, 0, n, 0, {});
    for (Index i = 0; i < n; ++i) CHECK(y[i] == (a[i] != 0 ? b[i] : c[i]) || std::isnan(b[i]));
  });
}

TEST(elementwise_i32_and_f64_programs) {
  for_each_isa([&](const KernelTable& table) {
    const std::vector<std::int32_t> a = {7, -7, 7, -7, INT32_MIN, INT32_MAX, 0, 5, 2, 2};
    const std::vector<std::int32_t> b = {3, 3, -3, -3, -1, 1, 0, 0, 10, -1};
    const Index n = static_cast<Index>(a.size());
    const auto run = [&](EwOp which) {
      const std::vector<EwInstruction> code = {load(0, 0), load(1, 1), op(which, 2, 0, 1), store(2, 2)};
      const EwProgram program = program_of(DType::i32, code, {DType::i32, DType::i32, DType::i32});
      std::vector<std::int32_t> y(a.size());
      void* pointers[] = {const_cast<std::int32_t*>(a.data()), const_cast<std::int32_t*>(b.data()), y.data()};
      table.elementwise.run_row(program, pointers, 0, n, 0, {});
      return y;
    };
    CHECK((run(EwOp::div) == std::vector<std::int32_t>{2, -2, -2, 2, INT32_MIN, INT32_MAX, 0, 0, 0, -2}));
    CHECK((run(EwOp::mod) == std::vector<std::int32_t>{1, 2, -2, -1, 0, 0, 0, 0, 2, 0}));
    CHECK((run(EwOp::add) == std::vector<std::int32_t>{10, -4, 4, -10, INT32_MAX, INT32_MIN, 0, 5, 12, 1}));
    CHECK((run(EwOp::pow) == std::vector<std::int32_t>{343, -343, 0, 0, 0, INT32_MAX, 1, 1, 1024, 0}));

    const std::vector<double> x = {-3.0, -0.5, 0.0, 0.25, 2.0, 700.0};
    const auto apply = [&](EwOp which, double (*exact)(double)) {
      const std::vector<EwInstruction> code = {load(0, 0), op(which, 1, 0), store(1, 1)};
      const EwProgram program = program_of(DType::f64, code, {DType::f64, DType::f64});
      std::vector<double> y(x.size());
      void* pointers[] = {const_cast<double*>(x.data()), y.data()};
      table.elementwise.run_row(program, pointers, 0, static_cast<Index>(x.size()), 0, {});
      for (std::size_t i = 0; i < x.size(); ++i) CHECK_NEAR(y[i], exact(x[i]), 4e-16 * std::fabs(exact(x[i])));
    };
    apply(EwOp::exp, [](double v) { return std::exp(v); });
    apply(EwOp::tanh, [](double v) { return std::tanh(v); });
    apply(EwOp::gelu, [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); });
    apply(EwOp::silu, [](double v) { return v / (1 + std::exp(-v)); });
    apply(EwOp::square, [](double v) { return v * v; });
  });
}

TEST(elementwise_threads_give_the_same_bits) {
  const std::vector<EwInstruction> code = {load(0, 0),
                                           op(EwOp::gelu, 1, 0),
                                           {.op = EwOp::random_uniform, .dst = 2, .index = 1},
                                           op(EwOp::mul, 3, 1, 2),
                                           store(3, 1)};
  const EwProgram program = program_of(DType::f32, code, {DType::f32, DType::f32});
  for_each_isa([&](const KernelTable& table) {
    const Index n = 200001;
    const std::vector<float> x = numbers(n, 6);
    std::vector<float> first(static_cast<std::size_t>(n)), other(static_cast<std::size_t>(n));
    EwArgs args = args_of(program, {n});
    set_operand(args, 0, x.data(), {1});
    for (int workers : {1, 2, 7}) {
      set_operand(args, 1, workers == 1 ? first.data() : other.data(), {1});
      Threads threads(workers);
      table.elementwise.run(args, threads);
      if (workers > 1) CHECK(std::memcmp(first.data(), other.data(), first.size() * 4) == 0);
    }
  });
}

TEST(elementwise_faults_are_named) {
  const DType types[] = {DType::f32};
  const auto fault = [&](DType compute, std::vector<EwInstruction> code) {
    return ew_fault({compute, static_cast<int>(code.size()), code.data(), 1, types});
  };
  CHECK(fault(DType::f32, {load(0, 0), store(0, 0)}) == nullptr);
  CHECK(fault(DType::u8, {load(0, 0)}) != nullptr);
  CHECK(fault(DType::f32, {store(0, 0)}) != nullptr);
  CHECK(fault(DType::f32, {load(0, 1)}) != nullptr);
  CHECK(fault(DType::f32, {load(16, 0)}) != nullptr);
  CHECK(fault(DType::i32, {load(0, 0), op(EwOp::exp, 0, 0)}) != nullptr);
}

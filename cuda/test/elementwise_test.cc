// Elementwise programs on the emulated device: every instruction beside the C library in double, all element types, broadcast and
// strided operands, in-place results, the CPU's random bits. Long because every instruction has its reference here.
#include <cmath>
#include <functional>
#include <limits>

#include "base/half.h"
#include "base/philox.h"
#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

const std::vector<float> kSpecial = {0.0f,   -0.0f,   1.0f,    -1.0f,  0.5f,     -2.5f,     3.5f,
                                     1e-30f, -1e-38f, 1e-42f,  87.5f,  -88.5f,   127.0f,    1e10f,
                                     -3e4f,  3.4e38f, 2000.5f, -1e20f, INFINITY, -INFINITY, NAN};

std::vector<float> samples(std::size_t count, std::uint64_t seed) {
  std::vector<float> values = numbers(count, seed, 4);
  for (std::size_t i = 0; i < kSpecial.size() && i < count; ++i) values[i] = kSpecial[(i + seed) % kSpecial.size()];
  return values;
}

EwArgs flat(const EwProgram& program, Index n) {
  EwArgs args;
  args.program = program;
  args.rank = 1;
  args.shape[0] = n;
  for (int i = 0; i < program.operands; ++i) args.operands[i].strides[0] = 1;
  return args;
}

struct Reference {
  EwOp op;
  std::function<double(double, double, double)> f;
  double relative = 0, absolute = 0;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double cdf(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
double nan_or(double x, double y, double value) { return std::isnan(x) || std::isnan(y) ? NAN : value; }

const std::vector<Reference>& references() {
  using D = double;
  static const std::vector<Reference> all = {
      {EwOp::neg, [](D x, D, D) { return -x; }},
      {EwOp::abs, [](D x, D, D) { return std::fabs(x); }},
      {EwOp::sign, [](D x, D, D) { return x > 0   ? 1.0
                                          : x < 0 ? -1.0
                                                  : x; }},
      {EwOp::square, [](D x, D, D) { return static_cast<double>(static_cast<float>(x) * static_cast<float>(x)); }},
      {EwOp::relu, [](D x, D, D) { return x < 0 ? 0 : x; }},
      {EwOp::logical_not, [](D x, D, D) { return x == 0; }},
      {EwOp::exp, [](D x, D, D) { return static_cast<double>(static_cast<float>(std::exp(x))); }, 3e-7, 1e-44},
      {EwOp::expm1, [](D x, D, D) { return static_cast<double>(static_cast<float>(std::expm1(x))); }, 3e-7, 1e-44},
      {EwOp::log, [](D x, D, D) { return std::log(x); }, 3e-7, 0},
      {EwOp::log1p, [](D x, D, D) { return std::log1p(x); }, 3e-7, 1e-44},
      {EwOp::sqrt, [](D x, D, D) { return static_cast<double>(std::sqrt(static_cast<float>(x))); }},
      {EwOp::rsqrt, [](D x, D, D) { return 1 / std::sqrt(x); }, 2e-7, 0},
      {EwOp::reciprocal, [](D x, D, D) { return static_cast<double>(1 / static_cast<float>(x)); }},
      {EwOp::sin, [](D x, D, D) { return std::sin(x); }, 0, 2e-7},
      {EwOp::cos, [](D x, D, D) { return std::cos(x); }, 0, 2e-7},
      {EwOp::tanh, [](D x, D, D) { return std::tanh(x); }, 4e-7, 1e-44},
      {EwOp::sigmoid, [](D x, D, D) { return sigmoid(x); }, 4e-7, 1e-44},
      {EwOp::erf, [](D x, D, D) { return std::erf(x); }, 3e-7, 1e-44},
      {EwOp::gelu, [](D x, D, D) { return x == INFINITY ? x : x * cdf(x); }, 1e-6, 1e-38},
      {EwOp::gelu_tanh,
       [](D x, D, D) {
         return std::isinf(x) && x < 0 ? NAN : x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x));
       },
       2e-6, 1e-37},
      {EwOp::silu, [](D x, D, D) { return x * sigmoid(x); }, 4e-7, 1e-37},
      {EwOp::softplus,
       [](D x, D, D) { return std::isnan(x) ? x : std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, 3e-7,
       1e-44},
      {EwOp::floor, [](D x, D, D) { return std::floor(x); }},
      {EwOp::ceil, [](D x, D, D) { return std::ceil(x); }},
      {EwOp::trunc, [](D x, D, D) { return std::trunc(x); }},
      {EwOp::round, [](D x, D, D) { return std::nearbyint(x); }},
      {EwOp::is_finite, [](D x, D, D) { return std::isfinite(x); }},
      {EwOp::is_nan, [](D x, D, D) { return std::isnan(x); }},
      {EwOp::add, [](D x, D y, D) { return static_cast<double>(static_cast<float>(x) + static_cast<float>(y)); }},
      {EwOp::sub, [](D x, D y, D) { return static_cast<double>(static_cast<float>(x) - static_cast<float>(y)); }},
      {EwOp::mul, [](D x, D y, D) { return static_cast<double>(static_cast<float>(x) * static_cast<float>(y)); }},
      {EwOp::div, [](D x, D y, D) { return static_cast<double>(static_cast<float>(x) / static_cast<float>(y)); }},
      {EwOp::pow,
       [](D x, D y, D) { return static_cast<double>(std::pow(static_cast<float>(x), static_cast<float>(y))); }, 4e-7,
       1e-44},
      {EwOp::minimum, [](D x, D y, D) { return nan_or(x, y, std::fmin(x, y)); }},
      {EwOp::maximum, [](D x, D y, D) { return nan_or(x, y, std::fmax(x, y)); }},
      {EwOp::mod,
       [](D x, D y, D) {
         const float r = std::fmod(static_cast<float>(x), static_cast<float>(y));
         return static_cast<double>(r != 0 && (r < 0) != (y < 0) ? r + static_cast<float>(y) : r);
       }},
      {EwOp::eq, [](D x, D y, D) { return x == y; }},
      {EwOp::ne, [](D x, D y, D) { return x != y; }},
      {EwOp::lt, [](D x, D y, D) { return x < y; }},
      {EwOp::le, [](D x, D y, D) { return x <= y; }},
      {EwOp::gt, [](D x, D y, D) { return x > y; }},
      {EwOp::ge, [](D x, D y, D) { return x >= y; }},
      {EwOp::logical_and, [](D x, D y, D) { return x != 0 && y != 0; }},
      {EwOp::logical_or, [](D x, D y, D) { return x != 0 || y != 0; }},
      {EwOp::logical_xor, [](D x, D y, D) { return (x != 0) != (y != 0); }},
      {EwOp::relu_grad, [](D x, D y, D) { return y <= 0 ? 0 : x; }},
      {EwOp::where, [](D x, D y, D z) { return x != 0 ? y : z; }},
      {EwOp::fma,
       [](D x, D y, D z) {
         return static_cast<double>(std::fma(static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)));
       }},
  };
  return all;
}

// Smooth gradients where their inputs are ordinary numbers.
const std::vector<Reference>& gradients() {
  using D = double;
  static const std::vector<Reference> all = {
      {EwOp::tanh_grad, [](D dy, D y, D) { return dy * (1 - y * y); }, 1e-6, 1e-6},
      {EwOp::sigmoid_grad, [](D dy, D y, D) { return dy * y * (1 - y); }, 1e-6, 1e-6},
      {EwOp::gelu_grad, [](D dy, D x, D) { return dy * (cdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI)); },
       1e-6, 2e-6},
      {EwOp::gelu_tanh_grad,
       [](D dy, D x, D) {
         const double k = 1.5957691216057308, s = sigmoid(k * (x + 0.044715 * x * x * x));
         return dy * (s + x * s * (1 - s) * k * (1 + 3 * 0.044715 * x * x));
       },
       2e-6, 2e-6},
      {EwOp::silu_grad, [](D dy, D x, D) { return dy * sigmoid(x) * (1 + x * (1 - sigmoid(x))); }, 1e-6, 1e-6},
      {EwOp::add_relu,
       [](D x, D y, D) { return std::fmax(0, static_cast<double>(static_cast<float>(x) + static_cast<float>(y))); }},
  };
  return all;
}

void check_op(const Reference& reference, const std::vector<float> (&in)[3], const char* order) {
  const Index n = static_cast<Index>(in[0].size());
  const int inputs = inputs_of(reference.op);
  std::vector<EwInstruction> code;
  for (int i = 0; i < inputs; ++i) {
    EwInstruction load{EwOp::load, static_cast<std::uint8_t>(i)};
    load.index = static_cast<std::uint32_t>(i);
    code.push_back(load);
  }
  code.push_back({reference.op, 5, 0, 1, 2});
  EwInstruction store{EwOp::store, 0, 5};
  store.index = static_cast<std::uint32_t>(inputs);
  code.push_back(store);
  const std::vector<DType> types(static_cast<std::size_t>(inputs) + 1, DType::f32);
  const EwProgram program{DType::f32, static_cast<int>(code.size()), code.data(), inputs + 1, types.data()};
  const DeviceArray<float> x(in[0]), y(in[1]), z(in[2]), out(in[0].size());
  device::Elementwise args{flat(program, n), nullptr};
  const float* data[] = {x.data(), y.data(), z.data()};
  for (int i = 0; i < inputs; ++i) args.args.operands[i].data = const_cast<float*>(data[i]);
  args.args.operands[inputs].data = out.data();
  if (!launch(plugin().launch.elementwise, args, name_of(reference.op))) return;
  std::vector<double> wanted;
  for (std::size_t i = 0; i < in[0].size(); ++i) {
    const double value =
        reference.f(static_cast<double>(in[0][i]), static_cast<double>(in[1][i]), static_cast<double>(in[2][i]));
    wanted.push_back(std::fabs(value) > 3.4028235677973366e38 ? std::copysign(INFINITY, value) : value);
  }
  agree(out.values(), wanted, reference.relative, reference.absolute,
        std::string(name_of(reference.op)) + ", " + order);
}

}  // namespace

TEST(every_instruction_in_f32) {
  const std::vector<float> in[3] = {samples(777, 1), samples(777, 8), samples(777, 15)};
  in_all_orders([&](const char* order) {
    for (const Reference& reference : references()) check_op(reference, in, order);
  });
  const std::vector<float> plain[3] = {numbers(515, 3, 5), numbers(515, 4, 5), numbers(515, 5)};
  for (const Reference& reference : gradients()) check_op(reference, plain, "forward");
}

TEST(programs_of_no_elements_and_of_one) {
  for (const Index n : {0, 1, 511, 512, 513}) {
    const std::vector<float> from = numbers(static_cast<std::size_t>(n), 2);
    const DeviceArray<float> x(from), y(from.size());
    const EwInstruction code[] = {{EwOp::load, 0}, {EwOp::neg, 1, 0}, {EwOp::store, 0, 1, 0, 0, 1}};
    const DType types[] = {DType::f32, DType::f32};
    device::Elementwise args{flat({DType::f32, 3, code, 2, types}, n), nullptr};
    args.args.operands[0].data = x.data();
    args.args.operands[1].data = y.data();
    CHECK(launch(plugin().launch.elementwise, args, "neg"));
    const std::vector<float> got = y.values();
    for (std::size_t i = 0; i < from.size(); ++i) CHECK_EQ(got[i], -from[i]);
  }
}

// y[i, j, k] = a[i, j, k] + row[k] * column[i, j] - scalar, a transposed in memory: all ways to walk.
TEST(broadcast_and_strided_operands) {
  const Index shape[] = {5, 3, 7};
  const std::vector<float> a = numbers(105, 1), row = numbers(7, 2), column = numbers(15, 3), scalar = numbers(1, 4);
  in_all_orders([&](const char*) {
    const DeviceArray<float> da(a), dr(row), dc(column), ds(scalar), y(105);
    const EwInstruction code[] = {{EwOp::load, 0, 0, 0, 0, 0}, {EwOp::load, 1, 0, 0, 0, 1}, {EwOp::load, 2, 0, 0, 0, 2},
                                  {EwOp::load, 3, 0, 0, 0, 3}, {EwOp::mul, 1, 1, 2},        {EwOp::add, 0, 0, 1},
                                  {EwOp::sub, 0, 0, 3},        {EwOp::store, 0, 0, 0, 0, 4}};
    const DType types[] = {DType::f32, DType::f32, DType::f32, DType::f32, DType::f32};
    device::Elementwise args;
    args.args.program = {DType::f32, 8, code, 5, types};
    args.args.rank = 3;
    std::copy(shape, shape + 3, args.args.shape);
    const Index strides[5][3] = {{1, 5, 15}, {0, 0, 1}, {3, 1, 0}, {0, 0, 0}, {21, 7, 1}};
    void* data[] = {da.data(), dr.data(), dc.data(), ds.data(), y.data()};
    for (int i = 0; i < 5; ++i) {
      args.args.operands[i].data = data[i];
      std::copy(strides[i], strides[i] + 3, args.args.operands[i].strides);
    }
    CHECK(launch(plugin().launch.elementwise, args, "broadcast"));
    const std::vector<float> got = y.values();
    for (int i = 0; i < 5; ++i)
      for (int j = 0; j < 3; ++j)
        for (int k = 0; k < 7; ++k)
          CHECK_EQ(got[static_cast<std::size_t>(i * 21 + j * 7 + k)],
                   (a[static_cast<std::size_t>(i + j * 5 + k * 15)] +
                    row[static_cast<std::size_t>(k)] * column[static_cast<std::size_t>(i * 3 + j)]) -
                       scalar[0]);
  });
}

TEST(element_types_convert_as_on_the_cpu) {
  const std::vector<float> from = {0,     1.9f, -1.9f,    255.5f,      300, -3, 2147483648.0f,
                                   -3e9f, NAN,  INFINITY, 1.00390625f, 0.1f};
  const DeviceArray<float> x(from);
  const std::size_t n = from.size();
  const DeviceArray<std::int32_t> i32(n);
  const DeviceArray<std::uint8_t> u8(n), boolean(n);
  const DeviceArray<std::uint16_t> bf16(n);
  const DeviceArray<double> f64(n);
  const EwInstruction code[] = {{EwOp::load, 0},
                                {EwOp::store, 0, 0, 0, 0, 1},
                                {EwOp::store, 0, 0, 0, 0, 2},
                                {EwOp::store, 0, 0, 0, 0, 3},
                                {EwOp::store, 0, 0, 0, 0, 4},
                                {EwOp::store, 0, 0, 0, 0, 5}};
  const DType types[] = {DType::f32, DType::i32, DType::u8, DType::boolean, DType::bf16, DType::f64};
  device::Elementwise args{flat({DType::f32, 6, code, 6, types}, static_cast<Index>(n)), nullptr};
  void* data[] = {x.data(), i32.data(), u8.data(), boolean.data(), bf16.data(), f64.data()};
  for (int i = 0; i < 6; ++i) args.args.operands[i].data = data[i];
  CHECK(launch(plugin().launch.elementwise, args, "stores"));
  const std::vector<std::int32_t> whole = {0, 1, -1, 255, 300, -3, INT32_MAX, INT32_MIN, 0, INT32_MAX, 1, 0};
  const std::vector<std::uint8_t> bytes = {0, 1, 0, 255, 255, 0, 255, 0, 0, 255, 1, 0};
  CHECK(i32.values() == whole);
  CHECK(u8.values() == bytes);
  for (std::size_t i = 0; i < n; ++i) {
    CHECK(boolean.values()[i] == (from[i] != 0 ? 1 : 0));
    CHECK(bf16.values()[i] == to_bf16(from[i]).bits);
    CHECK(f64.values()[i] == static_cast<double>(from[i]) || from[i] != from[i]);
  }
  // And back: every type loaded, computed in f64.
  const DeviceArray<double> sum(n);
  const EwInstruction back[] = {{EwOp::load, 0, 0, 0, 0, 0}, {EwOp::load, 1, 0, 0, 0, 1}, {EwOp::add, 0, 0, 1},
                                {EwOp::load, 1, 0, 0, 0, 2}, {EwOp::add, 0, 0, 1},        {EwOp::load, 1, 0, 0, 0, 3},
                                {EwOp::add, 0, 0, 1},        {EwOp::store, 0, 0, 0, 0, 4}};
  const DType kinds[] = {DType::i32, DType::u8, DType::boolean, DType::bf16, DType::f64};
  device::Elementwise again{flat({DType::f64, 8, back, 5, kinds}, static_cast<Index>(n)), nullptr};
  void* sources[] = {i32.data(), u8.data(), boolean.data(), bf16.data(), sum.data()};
  for (int i = 0; i < 5; ++i) again.args.operands[i].data = sources[i];
  CHECK(launch(plugin().launch.elementwise, again, "loads"));
  for (std::size_t i = 0; i < n; ++i) {
    const double wanted = static_cast<double>(whole[i]) + bytes[i] + (from[i] != 0 ? 1 : 0) +
                          static_cast<double>(to_f32(to_bf16(from[i])));
    CHECK(sum.values()[i] == wanted || wanted != wanted);
  }
}

TEST(whole_numbers_wrap_and_divide_as_on_the_cpu) {
  const std::vector<std::int32_t> a = {INT32_MAX, INT32_MIN, 7, -7, 7, -7, 0, INT32_MIN, 3, -1},
                                  b = {1, -1, 3, 3, -3, -3, 0, 2, -2, 5};
  const DeviceArray<std::int32_t> x(a), y(b);
  struct Case {
    EwOp op;
    std::vector<std::int32_t> wanted;
  };
  const Case cases[] = {
      {EwOp::add, {INT32_MIN, INT32_MAX, 10, -4, 4, -10, 0, INT32_MIN + 2, 1, 4}},
      {EwOp::div, {INT32_MAX, INT32_MIN, 2, -2, -2, 2, 0, INT32_MIN / 2, -1, 0}},
      {EwOp::mod, {0, 0, 1, 2, -2, -1, 0, 0, -1, 4}},
      {EwOp::pow, {INT32_MAX, 0, 343, -343, 0, 0, 1, 0, 0, -1}},
      {EwOp::minimum, {1, INT32_MIN, 3, -7, -3, -7, 0, INT32_MIN, -2, -1}},
  };
  for (const Case& item : cases) {
    const DeviceArray<std::int32_t> out(a.size());
    const EwInstruction code[] = {
        {EwOp::load, 0, 0, 0, 0, 0}, {EwOp::load, 1, 0, 0, 0, 1}, {item.op, 2, 0, 1}, {EwOp::store, 0, 2, 0, 0, 2}};
    const DType types[] = {DType::i32, DType::i32, DType::i32};
    device::Elementwise args{flat({DType::i32, 4, code, 3, types}, static_cast<Index>(a.size())), nullptr};
    args.args.operands[0].data = x.data();
    args.args.operands[1].data = y.data();
    args.args.operands[2].data = out.data();
    CHECK(launch(plugin().launch.elementwise, args, name_of(item.op)));
    CHECK_MESSAGE(out.values() == item.wanted, name_of(item.op));
  }
}

TEST(random_numbers_are_the_cpus_bits) {
  constexpr Index kCount = 1000;
  const EwInstruction code[] = {{EwOp::random_uniform, 0, 0, 0, 0, 3}, {EwOp::store, 0, 0}};
  const DType types[] = {DType::f32};
  const PhiloxStream stream{0x123456789abcull, 17, 3}, keyed{99, 5, 3};
  in_all_orders([&](const char*) {
    const DeviceArray<float> y(kCount);
    device::Elementwise args{flat({DType::f32, 2, code, 1, types}, kCount), nullptr};
    args.args.operands[0].data = y.data();
    args.args.random = {stream.seed, stream.step};
    CHECK(launch(plugin().launch.elementwise, args, "random"));
    const std::vector<float> got = y.values();
    for (Index i = 0; i < kCount; ++i)
      CHECK_EQ(got[static_cast<std::size_t>(i)], stream.uniform(static_cast<std::uint64_t>(i)));
    // The record's keys go before the launch's.
    device::RunRecord record{};
    record.seed = keyed.seed, record.step = keyed.step;
    const DeviceArray<device::RunRecord> run(std::vector{record});
    args.run = run.data();
    CHECK(launch(plugin().launch.elementwise, args, "random"));
    CHECK(y.values()[777] == keyed.uniform(777));
  });
}

TEST(a_result_may_take_the_place_of_an_operand) {
  const std::vector<float> from = numbers(1000, 6);
  const DeviceArray<float> x(from);
  const EwInstruction code[] = {{EwOp::load, 0}, {EwOp::square, 1, 0}, {EwOp::store, 0, 1}};
  const DType types[] = {DType::f32};
  device::Elementwise args{flat({DType::f32, 3, code, 1, types}, 1000), nullptr};
  args.args.operands[0].data = x.data();
  CHECK(launch(plugin().launch.elementwise, args, "square"));
  for (std::size_t i = 0; i < from.size(); ++i) CHECK(x.values()[i] == from[i] * from[i]);
}

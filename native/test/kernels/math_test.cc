// The f32 functions of simd/math.inl.h, reached through one-instruction programs, over a sweep of all floats against the
// C library in double. The bounds are in ulp of the exact result (2^-149 below the normal range).
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "test/isas.h"
#include "test/test.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double ulp(double exact) {
  const double magnitude = std::fabs(exact);
  if (magnitude < 0x1p-126) return 0x1p-149;
  int exponent;
  std::frexp(std::fmin(magnitude, 0x1.fffffep127), &exponent);
  return std::ldexp(1.0, exponent - 24);
}

// Error in ulp; a NaN must meet a NaN, and an infinity counts as 2^128.
double error_of(float y, double exact) {
  if (std::isnan(y) || std::isnan(exact)) return std::isnan(y) && std::isnan(exact) ? 0 : kInf;
  const double got = std::isinf(y) ? std::copysign(0x1p128, y) : static_cast<double>(y);
  const double want = std::fabs(exact) > 0x1p128 ? std::copysign(0x1p128, exact) : exact;
  return std::fabs(got - want) / ulp(exact);
}

std::vector<float> all_kinds_of_floats() {
  std::vector<float> x = {0.0f,      -0.0f,           INFINITY,         -INFINITY, NAN,       1.0f,       -1.0f,
                          0x1p-149f, -0x1p-149f,      0x1p-126f,        88.72283f, 88.72284f, -87.33655f, -103.97f,
                          -103.98f,  0x1.fffffep127f, -0x1.fffffep127f, 0.5f,      -0.5f,     1600.0f,    1601.0f};
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 15013) {
    float value;
    const std::uint32_t word = static_cast<std::uint32_t>(bits);
    std::memcpy(&value, &word, 4);
    x.push_back(value);
  }
  for (float v = -20; v < 20; v += 0x1.1p-9f) x.push_back(v);
  return x;
}

void run_program(const KernelTable& table, EwOp op, std::vector<const float*> inputs, float* y, Index n) {
  std::vector<EwInstruction> code;
  std::vector<DType> types;
  std::vector<void*> pointers;
  for (const float* input : inputs) {
    const int i = static_cast<int>(types.size());
    code.push_back({.op = EwOp::load, .dst = static_cast<std::uint8_t>(i), .index = static_cast<std::uint32_t>(i)});
    types.push_back(DType::f32);
    pointers.push_back(const_cast<float*>(input));
  }
  const auto out = static_cast<std::uint32_t>(types.size());
  code.push_back({.op = op, .dst = 3, .a = 0, .b = 1, .c = 2});
  code.push_back({.op = EwOp::store, .a = 3, .index = out});
  types.push_back(DType::f32);
  pointers.push_back(y);
  const EwProgram program{DType::f32, static_cast<int>(code.size()), code.data(), static_cast<int>(types.size()),
                          types.data()};
  CHECK(ew_fault(program) == nullptr);
  table.elementwise.run_row(program, pointers.data(), 0, n, 0, {});
}

template <class F>
void sweep(EwOp op, double bound, F exact, double low = -kInf, double high = kInf) {
  const std::vector<float> x = all_kinds_of_floats();
  std::vector<float> y(x.size());
  for_each_isa([&](const KernelTable& table) {
    run_program(table, op, {x.data()}, y.data(), static_cast<Index>(x.size()));
    double worst = 0;
    float at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!std::isnan(x[i]) && (x[i] < low || x[i] > high)) continue;
      const double error = error_of(y[i], exact(static_cast<double>(x[i])));
      if (error > worst) worst = error, at = x[i];
    }
    if (!(worst <= bound)) {
      char text[160];
      std::snprintf(text, sizeof text, "%s on %s: %.3f ulp at %a, allowed %.2f", name_of(op), table.isa, worst, at,
                    bound);
      report(__FILE__, __LINE__, text);
    }
  });
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST(math_exponentials) {
  sweep(EwOp::exp, 1.0, [](double x) { return std::exp(x); });
  sweep(EwOp::expm1, 1.5, [](double x) { return std::expm1(x); });
  sweep(EwOp::sigmoid, 2.5, sigmoid);
  sweep(EwOp::tanh, 2.5, [](double x) { return std::tanh(x); });
  sweep(EwOp::softplus, 2.0, [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); });
  sweep(EwOp::silu, 3.0, [](double x) { return x * sigmoid(x); }, -85);
}

TEST(math_logarithms) {
  sweep(EwOp::log, 1.0, [](double x) { return std::log(x); });
  sweep(EwOp::log1p, 1.5, [](double x) { return std::log1p(x); });
}

TEST(math_sine_and_cosine) {
  sweep(EwOp::sin, 2.0, [](double x) { return std::sin(x); });
  sweep(EwOp::cos, 2.0, [](double x) { return std::cos(x); });
}

TEST(math_erf) {
  sweep(EwOp::erf, 1.5, [](double x) { return std::erf(x); });
}

TEST(math_roots_and_rounding) {
  sweep(EwOp::sqrt, 0.5, [](double x) { return std::sqrt(x); });
  sweep(EwOp::rsqrt, 1.5, [](double x) { return 1 / std::sqrt(x); });
  sweep(EwOp::reciprocal, 0.5, [](double x) { return 1 / x; });
  sweep(EwOp::floor, 0, [](double x) { return std::floor(x); });
  sweep(EwOp::ceil, 0, [](double x) { return std::ceil(x); });
  sweep(EwOp::trunc, 0, [](double x) { return std::trunc(x); });
  sweep(EwOp::round, 0, [](double x) { return std::nearbyint(x); });
  sweep(EwOp::relu, 0, [](double x) { return x < 0 ? 0.0 : x; });
  sweep(EwOp::abs, 0, [](double x) { return std::fabs(x); });
  sweep(EwOp::neg, 0, [](double x) { return -x; });
  sweep(EwOp::sign, 0, [](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; });
  sweep(EwOp::is_nan, 0, [](double x) { return std::isnan(x) ? 1.0 : 0.0; });
  sweep(EwOp::is_finite, 0, [](double x) { return std::isfinite(x) ? 1.0 : 0.0; });
}

// gelu and the gradients are sums with cancellation: their error is bounded against the largest term.
template <class F>
void absolute(EwOp op, bool gradient, F exact) {
  std::vector<float> x, one;
  for (float v = -12; v < 12; v += 0x1.3p-8f) x.push_back(v), one.push_back(1.0f);
  std::vector<float> y(x.size());
  for_each_isa([&](const KernelTable& table) {
    if (gradient) {
      run_program(table, op, {one.data(), x.data()}, y.data(), static_cast<Index>(x.size()));
    } else {
      run_program(table, op, {x.data()}, y.data(), static_cast<Index>(x.size()));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double bound = 4 * 0x1p-24 * std::fmax(1.0, std::fabs(x[i]));
      CHECK_NEAR(y[i], exact(static_cast<double>(x[i])), bound);
    }
  });
}

TEST(math_gelu_family) {
  const auto cdf = [](double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); };
  const auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); };
  const double c = std::sqrt(2 / M_PI);
  const auto inner = [=](double x) { return c * (x + 0.044715 * x * x * x); };
  absolute(EwOp::gelu, false, [&](double x) { return x * cdf(x); });
  absolute(EwOp::gelu_grad, true, [&](double x) { return cdf(x) + x * density(x); });
  absolute(EwOp::gelu_tanh, false, [&](double x) { return 0.5 * x * (1 + std::tanh(inner(x))); });
  absolute(EwOp::gelu_tanh_grad, true, [&](double x) {
    const double t = std::tanh(inner(x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
  });
  absolute(EwOp::silu_grad, true, [](double x) { return sigmoid(x) * (1 + x * (1 - sigmoid(x))); });
}

TEST(math_pow) {
  const std::vector<float> kinds = {0.0f,        -0.0f,       1.0f,  -1.0f,     2.0f,      -2.0f,
                                    0.5f,        -0.5f,       3.0f,  -3.0f,     1.5f,      -1.5f,
                                    INFINITY,    -INFINITY,   NAN,   0x1p-149f, 0x1p-126f, 0x1.fffffep127f,
                                    16777216.0f, 16777215.0f, 1e-3f, 127.0f,    -149.0f,   -150.0f};
  std::vector<float> x, y;
  for (float a : kinds)
    for (float b : kinds) x.push_back(a), y.push_back(b);
  for (int i = 1; i < 400; ++i)
    for (int j = -40; j <= 40; ++j)
      x.push_back(0.037f * static_cast<float>(i)), y.push_back(0.31f * static_cast<float>(j));
  std::vector<float> z(x.size());
  for_each_isa([&](const KernelTable& table) {
    run_program(table, EwOp::pow, {x.data(), y.data()}, z.data(), static_cast<Index>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
      CHECK_MESSAGE(error_of(z[i], exact) <= 1.0, "pow(" + std::to_string(x[i]) + ", " + std::to_string(y[i]) +
                                                      ") = " + std::to_string(z[i]) + " on " + table.isa);
      if (exact == 0) CHECK_EQ(std::signbit(z[i]), std::signbit(exact));
    }
  });
}

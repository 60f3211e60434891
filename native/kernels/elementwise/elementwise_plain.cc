// The instructions of f64 and i32 programs: plain loops, vectorised by the compiler where that is easy, the C library's functions
// else. They are for references, indices and masks.
#include "kernels/elementwise/elementwise_plain.h"

#include "kernels/elementwise/elementwise_machine.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

template <class T, class F>
ATHANOR_INLINE void plain_map(T* d, const EwInputs<T>& in, Index n, F f) {
  const T *a = in.a, *b = in.b != nullptr ? in.b : in.a, *c = in.c != nullptr ? in.c : in.a;
  // The inputs may be the output itself, element for element, but never overlap it otherwise.
#if !defined(__clang__)
#pragma GCC ivdep
#endif
  for (Index i = 0; i < n; ++i) d[i] = f(a[i], b[i], c[i]);
}

inline double sigmoid_f64(double x) {
  const double e = __builtin_exp(-__builtin_fabs(x));
  return (x < 0 ? e : 1.0) / (1.0 + e);
}
inline double normal_cdf_f64(double x) { return 0.5 * (1.0 + __builtin_erf(x * 0.70710678118654752440)); }
inline double gelu_tanh_inner_f64(double x) { return 1.5957691216057307117 * (x + 0.044715 * x * x * x); }

// False where op is one of those that both types share, below.
inline bool evaluate_typed(EwOp op, double* d, const EwInputs<double>& in, Index n) {
#define ATHANOR_CASE(name, expression)                                                           \
  case EwOp::name:                                                                               \
    plain_map(d, in, n, [](double x, [[maybe_unused]] double y, double) { return expression; }); \
    return true;
  switch (op) {
    ATHANOR_CASE(exp, __builtin_exp(x))
    ATHANOR_CASE(expm1, __builtin_expm1(x))
    ATHANOR_CASE(log, __builtin_log(x))
    ATHANOR_CASE(log1p, __builtin_log1p(x))
    ATHANOR_CASE(sqrt, __builtin_sqrt(x))
    ATHANOR_CASE(rsqrt, 1.0 / __builtin_sqrt(x))
    ATHANOR_CASE(reciprocal, 1.0 / x)
    ATHANOR_CASE(sin, __builtin_sin(x))
    ATHANOR_CASE(cos, __builtin_cos(x))
    ATHANOR_CASE(tanh, __builtin_tanh(x))
    ATHANOR_CASE(sigmoid, sigmoid_f64(x))
    ATHANOR_CASE(erf, __builtin_erf(x))
    ATHANOR_CASE(gelu, x * normal_cdf_f64(x))
    ATHANOR_CASE(gelu_tanh, x * sigmoid_f64(gelu_tanh_inner_f64(x)))
    ATHANOR_CASE(silu, x * sigmoid_f64(x))
    ATHANOR_CASE(softplus, (x > 0 ? x : x != x ? x : 0.0) + __builtin_log1p(__builtin_exp(-__builtin_fabs(x))))
    ATHANOR_CASE(floor, __builtin_floor(x))
    ATHANOR_CASE(ceil, __builtin_ceil(x))
    ATHANOR_CASE(trunc, __builtin_trunc(x))
    ATHANOR_CASE(round, __builtin_rint(x))
    ATHANOR_CASE(is_finite, __builtin_fabs(x) < __builtin_inf() ? 1.0 : 0.0)
    ATHANOR_CASE(is_nan, x != x ? 1.0 : 0.0)
    ATHANOR_CASE(sign, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
    ATHANOR_CASE(neg, -x)
    ATHANOR_CASE(abs, __builtin_fabs(x))
    ATHANOR_CASE(square, x * x)
    ATHANOR_CASE(relu, x < 0 ? 0.0 : x)
    ATHANOR_CASE(add, x + y)
    ATHANOR_CASE(sub, x - y)
    ATHANOR_CASE(mul, x * y)
    ATHANOR_CASE(div, x / y)
    ATHANOR_CASE(pow, __builtin_pow(x, y))
    ATHANOR_CASE(minimum, x != x ? x : x < y ? x : y)
    ATHANOR_CASE(maximum, x != x ? x : x > y ? x : y)
    ATHANOR_CASE(tanh_grad, x * (1.0 - y * y))
    ATHANOR_CASE(sigmoid_grad, x * y * (1.0 - y))
    ATHANOR_CASE(add_relu, x + y < 0 ? 0.0 : x + y)
    case EwOp::mod:
      plain_map(d, in, n, [](double x, double y, double) {
        const double r = __builtin_fmod(x, y);
        return r != 0 && (r < 0) != (y < 0) ? r + y : r;
      });
      return true;
    case EwOp::gelu_grad:
      plain_map(d, in, n, [](double dy, double x, double) {
        const double density = 0.39894228040143267794 * __builtin_exp(-0.5 * x * x);
        return dy * (normal_cdf_f64(x) + (density == 0 ? 0.0 : x * density));
      });
      return true;
    case EwOp::gelu_tanh_grad:
      plain_map(d, in, n, [](double dy, double x, double) {
        const double s = sigmoid_f64(gelu_tanh_inner_f64(x)), slope = s * sigmoid_f64(-gelu_tanh_inner_f64(x));
        return dy * (s + (slope == 0 ? 0.0 : x * slope * 1.5957691216057307117 * (1.0 + 3 * 0.044715 * x * x)));
      });
      return true;
    case EwOp::silu_grad:
      plain_map(d, in, n,
                [](double dy, double x, double) { return dy * sigmoid_f64(x) * (1.0 + x * sigmoid_f64(-x)); });
      return true;
    case EwOp::fma:
      plain_map(d, in, n, [](double x, double y, double z) { return __builtin_fma(x, y, z); });
      return true;
    default: return false;
  }
#undef ATHANOR_CASE
}

// Signed arithmetic that wraps is taken unsigned.
ATHANOR_INLINE std::uint32_t word(std::int32_t x) { return static_cast<std::uint32_t>(x); }
ATHANOR_INLINE std::int32_t wrapped(std::uint32_t x) { return static_cast<std::int32_t>(x); }

inline std::int32_t divide_i32(std::int32_t x, std::int32_t y) {
  if (y == 0) return 0;
  return y == -1 ? wrapped(0u - word(x)) : x / y;
}
inline std::int32_t modulo_i32(std::int32_t x, std::int32_t y) {
  if (y == 0 || y == -1) return 0;
  const std::int32_t r = x % y;
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
inline std::int32_t power_i32(std::int32_t x, std::int32_t y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0;
  std::uint32_t result = 1;
  for (std::uint32_t base = word(x), k = word(y); k != 0; k >>= 1, base *= base)
    if (k & 1) result *= base;
  return wrapped(result);
}

inline bool evaluate_typed(EwOp op, std::int32_t* d, const EwInputs<std::int32_t>& in, Index n) {
#define ATHANOR_CASE(name, expression)                                                                      \
  case EwOp::name:                                                                                          \
    plain_map(d, in, n, [](std::int32_t x, [[maybe_unused]] std::int32_t y, std::int32_t) -> std::int32_t { \
      return expression;                                                                                    \
    });                                                                                                     \
    return true;
  switch (op) {
    case EwOp::floor:
    case EwOp::ceil:
    case EwOp::trunc: ATHANOR_CASE(round, x)
    case EwOp::is_finite: plain_map(d, in, n, [](std::int32_t, std::int32_t, std::int32_t) { return 1; }); return true;
    case EwOp::is_nan:
      plain_map(d, in, n, [](std::int32_t, std::int32_t, std::int32_t) { return 0; });
      return true;
      ATHANOR_CASE(sign, (x > 0) - (x < 0))
      ATHANOR_CASE(neg, wrapped(0u - word(x)))
      ATHANOR_CASE(abs, wrapped(x < 0 ? 0u - word(x) : word(x)))
      ATHANOR_CASE(square, wrapped(word(x) * word(x)))
      ATHANOR_CASE(relu, x < 0 ? 0 : x)
      ATHANOR_CASE(add, wrapped(word(x) + word(y)))
      ATHANOR_CASE(sub, wrapped(word(x) - word(y)))
      ATHANOR_CASE(mul, wrapped(word(x) * word(y)))
      ATHANOR_CASE(div, divide_i32(x, y))
      ATHANOR_CASE(pow, power_i32(x, y))
      ATHANOR_CASE(mod, modulo_i32(x, y))
      ATHANOR_CASE(minimum, x < y ? x : y)
      ATHANOR_CASE(maximum, x > y ? x : y)
      ATHANOR_CASE(add_relu, wrapped(word(x) + word(y)) < 0 ? 0 : wrapped(word(x) + word(y)))
    case EwOp::fma:
      plain_map(d, in, n,
                [](std::int32_t x, std::int32_t y, std::int32_t z) { return wrapped(word(x) * word(y) + word(z)); });
      return true;
    default: return false;
  }
#undef ATHANOR_CASE
}

template <class T>
void evaluate(EwOp op, T* d, const EwInputs<T>& in, Index n) {
  if (evaluate_typed(op, d, in, n)) return;
#define ATHANOR_CASE(name, expression) \
  case EwOp::name: return plain_map(d, in, n, [](T x, [[maybe_unused]] T y, T) { return static_cast<T>(expression); });
  switch (op) {
    ATHANOR_CASE(copy, x)
    ATHANOR_CASE(logical_not, x == 0)
    ATHANOR_CASE(eq, x == y)
    ATHANOR_CASE(ne, x != y)
    ATHANOR_CASE(lt, x < y)
    ATHANOR_CASE(le, x <= y)
    ATHANOR_CASE(gt, x > y)
    ATHANOR_CASE(ge, x >= y)
    ATHANOR_CASE(logical_and, x != 0 && y != 0)
    ATHANOR_CASE(logical_or, x != 0 || y != 0)
    ATHANOR_CASE(logical_xor, (x != 0) != (y != 0))
    ATHANOR_CASE(relu_grad, y <= 0 ? T{0} : x)
    case EwOp::where: return plain_map(d, in, n, [](T m, T x, T y) { return m != 0 ? x : y; });
    default: return;
  }
#undef ATHANOR_CASE
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE

namespace athanor::kernels::plain {

void run_range(const EwArgs& args, Index begin, Index end) {
  if (args.program.compute == DType::f64) return ATHANOR_ISA_NAMESPACE::run_range_typed<double>(args, begin, end);
  ATHANOR_ISA_NAMESPACE::run_range_typed<std::int32_t>(args, begin, end);
}

void run_row(const EwProgram& program, void* const* pointers, std::uint32_t scalars, Index n, Index first,
             const EwRandom& random) {
  if (program.compute == DType::f64)
    return ATHANOR_ISA_NAMESPACE::run_row_typed<double>(program, pointers, scalars, n, first, random);
  ATHANOR_ISA_NAMESPACE::run_row_typed<std::int32_t>(program, pointers, scalars, n, first, random);
}

}  // namespace athanor::kernels::plain

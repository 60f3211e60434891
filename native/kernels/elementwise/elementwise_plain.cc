// The instructions of f64 and i32 programs: plain loops, vectorised by the compiler where that is easy, the C library's functions
// else. They are for references, indices and masks.
#include "kernels/elementwise/elementwise_plain.h"

#include <type_traits>

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
inline double hardswish_f64(double x) {
  const double ramp = x + 3.0;
  return x * ((ramp < 0 ? 0.0 : ramp > 6.0 ? 6.0 : ramp) / 6.0);
}
inline double mish_f64(double x) {
  const double e = __builtin_exp(x < 40.0 ? x : 40.0), w = e * (e + 2.0);
  return x * (w / (w + 2.0));
}
inline double selu_f64(double x) {
  return x > 0 ? 1.0507009873554804934 * x : 1.7580993408473768599 * __builtin_expm1(x);
}
inline double modulo_f64(double x, double y) {
  const double r = __builtin_fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
inline double gelu_grad_f64(double dy, double x) {
  const double density = 0.39894228040143267794 * __builtin_exp(-0.5 * x * x);
  return dy * (normal_cdf_f64(x) + (density == 0 ? 0.0 : x * density));
}
inline double gelu_tanh_grad_f64(double dy, double x) {
  const double s = sigmoid_f64(gelu_tanh_inner_f64(x)), slope = s * sigmoid_f64(-gelu_tanh_inner_f64(x));
  return dy * (s + (slope == 0 ? 0.0 : x * slope * 1.5957691216057307117 * (1.0 + 3 * 0.044715 * x * x)));
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

// The function of an instruction for one element.
template <EwOp op, class T>
struct Plain {
  static_assert(part_of(op) == EwPart::machine,
                "an instruction of kernels/elementwise/elementwise.def has no f64 or no i32 function: write its EW_F64 "
                "and EW_I32, "
                "or its EW_BOTH, in "
                "this file");
};

#define EW_PLAIN(name, type, expression)                                            \
  template <>                                                                       \
  struct Plain<EwOp::name, type> {                                                  \
    using T = type;                                                                 \
    static T of([[maybe_unused]] T x, [[maybe_unused]] T y, [[maybe_unused]] T z) { \
      return static_cast<T>(expression);                                            \
    }                                                                               \
  };
#define EW_F64(name, expression) EW_PLAIN(name, double, expression)
#define EW_I32(name, expression) EW_PLAIN(name, std::int32_t, expression)
#define EW_BOTH(name, expression) EW_F64(name, expression) EW_I32(name, expression)

EW_BOTH(copy, x)
EW_BOTH(logical_not, x == 0)
EW_BOTH(eq, x == y)
EW_BOTH(ne, x != y)
EW_BOTH(lt, x < y)
EW_BOTH(le, x <= y)
EW_BOTH(gt, x > y)
EW_BOTH(ge, x >= y)
EW_BOTH(logical_and, x != 0 && y != 0)
EW_BOTH(logical_or, x != 0 || y != 0)
EW_BOTH(logical_xor, (x != 0) != (y != 0))
EW_BOTH(relu_grad, y <= 0 ? T{0} : x)
EW_BOTH(where, x != 0 ? y : z)

EW_F64(exp, __builtin_exp(x))
EW_F64(expm1, __builtin_expm1(x))
EW_F64(log, __builtin_log(x))
EW_F64(log1p, __builtin_log1p(x))
EW_F64(sqrt, __builtin_sqrt(x))
EW_F64(rsqrt, 1.0 / __builtin_sqrt(x))
EW_F64(reciprocal, 1.0 / x)
EW_F64(sin, __builtin_sin(x))
EW_F64(cos, __builtin_cos(x))
EW_F64(tanh, __builtin_tanh(x))
EW_F64(sigmoid, sigmoid_f64(x))
EW_F64(erf, __builtin_erf(x))
EW_F64(gelu, x* normal_cdf_f64(x))
EW_F64(gelu_tanh, x* sigmoid_f64(gelu_tanh_inner_f64(x)))
EW_F64(silu, x* sigmoid_f64(x))
EW_F64(softplus, (x > 0 ? x : x != x ? x : 0.0) + __builtin_log1p(__builtin_exp(-__builtin_fabs(x))))
EW_F64(softsign, x / (1.0 + __builtin_fabs(x)))
EW_F64(hardswish, hardswish_f64(x))
EW_F64(mish, mish_f64(x))
EW_F64(selu, selu_f64(x))
EW_F64(floor, __builtin_floor(x))
EW_F64(ceil, __builtin_ceil(x))
EW_F64(trunc, __builtin_trunc(x))
EW_F64(round, __builtin_rint(x))
EW_F64(is_finite, __builtin_fabs(x) < __builtin_inf() ? 1.0 : 0.0)
EW_F64(is_nan, x != x ? 1.0 : 0.0)
EW_F64(sign, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
EW_F64(neg, -x)
EW_F64(abs, __builtin_fabs(x))
EW_F64(square, x* x)
EW_F64(relu, x < 0 ? 0.0 : x)
EW_F64(add, x + y)
EW_F64(sub, x - y)
EW_F64(mul, x* y)
EW_F64(div, x / y)
EW_F64(pow, __builtin_pow(x, y))
EW_F64(minimum, x != x ? x : x < y ? x : y)
EW_F64(maximum, x != x ? x : x > y ? x : y)
EW_F64(tanh_grad, x * (1.0 - y * y))
EW_F64(sigmoid_grad, x * y * (1.0 - y))
EW_F64(add_relu, x + y < 0 ? 0.0 : x + y)
EW_F64(mod, modulo_f64(x, y))
EW_F64(gelu_grad, gelu_grad_f64(x, y))
EW_F64(gelu_tanh_grad, gelu_tanh_grad_f64(x, y))
EW_F64(silu_grad, x* sigmoid_f64(y) * (1.0 + y * sigmoid_f64(-y)))
EW_F64(fma, __builtin_fma(x, y, z))

EW_I32(floor, x)
EW_I32(ceil, x)
EW_I32(trunc, x)
EW_I32(round, x)
EW_I32(sign, (x > 0) - (x < 0))
EW_I32(neg, wrapped(0u - word(x)))
EW_I32(abs, wrapped(x < 0 ? 0u - word(x) : word(x)))
EW_I32(square, wrapped(word(x) * word(x)))
EW_I32(relu, x < 0 ? 0 : x)
EW_I32(add, wrapped(word(x) + word(y)))
EW_I32(sub, wrapped(word(x) - word(y)))
EW_I32(mul, wrapped(word(x) * word(y)))
EW_I32(div, divide_i32(x, y))
EW_I32(pow, power_i32(x, y))
EW_I32(mod, modulo_i32(x, y))
EW_I32(minimum, x < y ? x : y)
EW_I32(maximum, x > y ? x : y)
EW_I32(add_relu, wrapped(word(x) + word(y)) < 0 ? 0 : wrapped(word(x) + word(y)))
EW_I32(is_finite, 1)
EW_I32(is_nan, 0)
EW_I32(fma, wrapped(word(x) * word(y) + word(z)))

#undef EW_BOTH
#undef EW_I32
#undef EW_F64
#undef EW_PLAIN

template <EwOp op, class T>
ATHANOR_INLINE void evaluate_strip(T* d, const EwInputs<T>& in, Index n) {
  if constexpr (part_of(op) != EwPart::machine && (std::is_same_v<T, double> || types_of(op) == EwTypes::all))
    plain_map(d, in, n, [](T x, T y, T z) { return Plain<op, T>::of(x, y, z); });
}

template <class T>
void evaluate(EwOp op, T* d, const T* a, const T* b, const T* c, Index n) {
  const EwInputs<T> in{a, b, c};
  switch (op) {
#define EW_OP(name, ...) \
  case EwOp::name: return evaluate_strip<EwOp::name>(d, in, n);
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  }
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

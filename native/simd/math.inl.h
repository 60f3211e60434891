// Elementary functions of f32 lanes, over the whole domain: infinities, NaN and subnormal inputs and results included.
// Written for true fma, but right without it (the portable lanes). Every lane depends on its own input alone.
//
// Reductions are Cody and Waite's (1980); the polynomials are minimax fits (Remez) of the remainders named beside them, their error
// below 2^-26 of the result. Largest errors seen over a sweep of the floats are asserted in native/test/kernels/math_test.cc.
// Long because the functions share their reductions and constants; each is a screen of its own.
#pragma once
#if defined(ATHANOR_ISA_LANE)
#include "simd/large_angle.inl.h"
#endif
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

ATHANOR_INLINE Vec operator*(float a, Vec b) { return Vec::broadcast(a) * b; }
ATHANOR_INLINE Vec operator+(float a, Vec b) { return Vec::broadcast(a) + b; }
ATHANOR_INLINE Vec operator-(float a, Vec b) { return Vec::broadcast(a) - b; }

// Horner, coefficients from the constant up.
template <class... More>
ATHANOR_INLINE Vec polynomial(Vec x, float c0, More... more) {
  if constexpr (sizeof...(more) == 0) {
    (void)x;
    return Vec::broadcast(c0);
  } else {
    return fma(polynomial(x, more...), x, Vec::broadcast(c0));
  }
}

// 2^n for -127 <= n <= 128, where -127 gives 0 and 128 gives infinity.
ATHANOR_INLINE Vec power_of_two(IVec n) { return as_float(shl<23>(n + IVec::broadcast(127))); }

struct ExpParts {
  IVec n;
  Vec tail;  // exp(x) = 2^n (1 + tail), |tail| < 0.42
};

// |x| < 2^20. Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum.
ATHANOR_INLINE ExpParts split_exp(Vec x) {
  const Vec shift = Vec::broadcast(12582912.0f);
  const Vec shifted = fma(x, Vec::broadcast(1.44269504f), shift);
  const Vec n = shifted - shift;
  const Vec r = fnma(n, Vec::broadcast(1.428606820e-6f), fnma(n, Vec::broadcast(0.693145751953125f), x));
  // (e^r - 1 - r) / r^2
  const Vec q = polynomial(r, 5.000000000e-01f, 1.666666716e-01f, 4.166626185e-02f, 8.333262987e-03f, 1.394663588e-03f,
                           1.991911704e-04f);
  return {as_int(shifted) - as_int(shift), fma(r * r, q, r)};
}

ATHANOR_INLINE Vec exp(Vec x) {
  const ExpParts parts = split_exp(max(Vec::broadcast(-105.0f), min(Vec::broadcast(90.0f), x)));
  const IVec half = sra<1>(parts.n);  // two factors, so that neither leaves the range when the product does
  return (1.0f + parts.tail) * power_of_two(half) * power_of_two(parts.n - half);
}

// The same for x <= 0, but results below 2^-126 become 0: cheaper, for softmax.
ATHANOR_INLINE Vec exp_nonpositive(Vec x) {
  const ExpParts parts = split_exp(max(Vec::broadcast(-88.02f), x));
  return (1.0f + parts.tail) * power_of_two(parts.n);
}

ATHANOR_INLINE Vec expm1(Vec x) {
  const ExpParts parts = split_exp(max(Vec::broadcast(-87.0f), min(Vec::broadcast(88.8f), x)));
  const Vec half = power_of_two(parts.n - IVec::broadcast(1));  // 2^n would overflow before the result does
  const Vec y = fma(half, parts.tail, half - Vec::broadcast(0.5f));
  return select(parts.n == IVec::broadcast(0), parts.tail, y + y);
}

// log(m 2^e (1 + c)) for f = m (1 + c) - 1 with m in [sqrt(1/2), sqrt(2)).
ATHANOR_INLINE Vec log_of_parts(Vec e, Vec f) {
  // (log(1 + f) - f + f^2 / 2) / f^3
  const Vec p = polynomial(f, 3.333331048e-01f, -2.499998659e-01f, 2.000223100e-01f, -1.666926146e-01f,
                           1.421857774e-01f, -1.238409281e-01f, 1.187338307e-01f, -1.179158688e-01f, 6.916560978e-02f);
  const Vec f2 = f * f;
  const Vec small = fnma(Vec::broadcast(0.5f), f2, fma(f2 * f, p, e * Vec::broadcast(1.428606820e-6f)));
  return fma(e, Vec::broadcast(0.693145751953125f), f + small);
}

inline constexpr std::int32_t kSqrtHalfBits = 0x3f3504f3;

// 0 gives -inf, inf stays, negative and NaN give NaN.
ATHANOR_INLINE Vec log_edges(Vec x, Vec y) {
  const Vec inf = Vec::broadcast(__builtin_inff());
  y = select(x < inf, y, x);
  y = select(x == Vec::zero(), -inf, y);
  return select(x < Vec::zero(), Vec::broadcast(__builtin_nanf("")), y);
}

ATHANOR_INLINE Vec log(Vec x) {
  const Mask subnormal = x < Vec::broadcast(0x1p-126f);
  const IVec bits = as_int(select(subnormal, x * Vec::broadcast(0x1p23f), x));
  const IVec e = sra<23>(bits - IVec::broadcast(kSqrtHalfBits));
  const Vec f = as_float(bits - shl<23>(e)) - Vec::broadcast(1.0f);
  const Vec exponent = to_float(e) - select(subnormal, Vec::broadcast(23.0f), Vec::zero());
  return log_edges(x, log_of_parts(exponent, f));
}

ATHANOR_INLINE Vec log1p(Vec x) {
  const Vec one = Vec::broadcast(1.0f);
  const Vec u = one + x;
  const Vec lost = select(x > one, one - (u - x), x - (u - one));  // u + lost == 1 + x exactly
  const IVec bits = as_int(u);
  const IVec e = sra<23>(bits - IVec::broadcast(kSqrtHalfBits));
  const IVec down =
      select(e > IVec::broadcast(64), IVec::broadcast(-64), IVec::broadcast(0) - e);  // beyond, lost is nothing
  const Vec f = fma(lost, power_of_two(down), as_float(bits - shl<23>(e)) - one);
  const Vec y = log_edges(u, log_of_parts(to_float(e), f));
  return select(u == one, x, y);
}

struct SinParts {
  Vec r;  // in [-pi/4, pi/4], x = quadrant pi/2 + r
  IVec quadrant;
};

inline constexpr float kSinLimit = 1600.0f;  // up to here the three short parts of pi/2 times the quadrant are exact

ATHANOR_INLINE SinParts split_sin(Vec x) {
  const Vec shift = Vec::broadcast(12582912.0f);
  const Vec shifted = fma(x, Vec::broadcast(0.636619772f), shift);
  const Vec k = shifted - shift;
  Vec r = fnma(k, Vec::broadcast(0x1.92p+0f), x);
  r = fnma(k, Vec::broadcast(0x1.fb4p-12f), r);
  r = fnma(k, Vec::broadcast(0x1.444p-24f), r);
  r = fnma(k, Vec::broadcast(0x1.68c234p-39f), r);
  return {r, as_int(shifted) - as_int(shift)};
}

ATHANOR_INLINE Vec sin_of_parts(Vec r, IVec quadrant) {
  const Vec z = r * r;
  // (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4
  const Vec s = fma(polynomial(z, -1.666666716e-01f, 8.333329111e-03f, -1.983929542e-04f, 2.717939878e-06f), z * r, r);
  const Vec c = fma(polynomial(z, 4.166664556e-02f, -1.388733741e-03f, 2.443484664e-05f), z * z,
                    fnma(Vec::broadcast(0.5f), z, Vec::broadcast(1.0f)));
  const Mask odd = (quadrant & IVec::broadcast(1)) == IVec::broadcast(1);
  const IVec sign = shl<30>(quadrant & IVec::broadcast(2));
  return as_float(as_int(select(odd, c, s)) ^ sign);
}

#if defined(ATHANOR_ISA_LANE)
// A GPU's double precision would need the same reduction with more bits.
ATHANOR_INLINE Vec large_angles(Vec x, Mask, Vec, int quarter) {
  const LargeAngle angle = reduce_large_angle(x.v);
  return sin_of_parts(Vec{angle.rest}, IVec{angle.quadrant + quarter});
}
#else
// Large arguments go to the C library in double, a lane at a time: exact range reduction, slow and rare. quarter: 1 for the cosine.
ATHANOR_INLINE Vec large_angles(Vec x, Mask large, Vec y, int quarter) {
  float in[kLanes], out[kLanes];
  x.store(in);
  y.store(out);
  const std::uint32_t bits = large.bits();
  for (int i = 0; i < kLanes; ++i) {
    const double angle = static_cast<double>(in[i]);
    if (bits >> i & 1) out[i] = static_cast<float>(quarter != 0 ? __builtin_cos(angle) : __builtin_sin(angle));
  }
  return Vec::load(out);
}
#endif

ATHANOR_INLINE Vec sin(Vec x) {
  const SinParts parts = split_sin(x);
  const Vec y = select(x == Vec::zero(), x, sin_of_parts(parts.r, parts.quadrant));
  const Mask large = abs(x) > Vec::broadcast(kSinLimit);
  return any(large) ? large_angles(x, large, y, 0) : y;
}

ATHANOR_INLINE Vec cos(Vec x) {
  const SinParts parts = split_sin(x);
  const Vec y = sin_of_parts(parts.r, parts.quadrant + IVec::broadcast(1));
  const Mask large = abs(x) > Vec::broadcast(kSinLimit);
  return any(large) ? large_angles(x, large, y, 1) : y;
}

// With t = e^2|x| - 1: t / (t + 2).
ATHANOR_INLINE Vec tanh(Vec x) {
  const Vec doubled = min(Vec::broadcast(20.0f), abs(x) + abs(x));
  const Vec t = expm1(doubled);
  return copysign(t / (t + Vec::broadcast(2.0f)), x);
}

ATHANOR_INLINE Vec sigmoid(Vec x) {
  const Vec e = exp(-abs(x));  // never overflows, and keeps the relative error of both tails
  return select(x < Vec::zero(), e, Vec::broadcast(1.0f)) / (1.0f + e);
}

struct SigmoidPair {
  Vec s, complement;  // s and 1 - s, neither by subtraction
};

ATHANOR_INLINE SigmoidPair sigmoid_pair(Vec x) {
  const Vec e = exp(-abs(x));
  const Vec upper = Vec::broadcast(1.0f) / (1.0f + e), lower = e * upper;
  const Mask negative = x < Vec::zero();
  return {select(negative, lower, upper), select(negative, upper, lower)};
}

ATHANOR_INLINE Vec softplus(Vec x) { return max(Vec::zero(), x) + log1p(exp(-abs(x))); }

ATHANOR_INLINE Vec erf(Vec x) {
  const Vec a = min(Vec::broadcast(4.0f), abs(x));  // erf(4) rounds to 1
  // erf(x) / x - 1 in x^2 for |x| < 1, log(1 - erf(x)) beyond
  const Vec near = fma(polynomial(x * x, 1.283791661e-01f, -3.761262596e-01f, 1.128360033e-01f, -2.685444430e-02f,
                                  5.189535208e-03f, -8.020840469e-04f, 7.889117842e-05f),
                       x, x);
  const Vec far =
      1.0f - exp_nonpositive(polynomial(a, 1.880270720e-04f, -1.129578352e+00f, -6.332200170e-01f, -1.084184572e-01f,
                                        2.520818077e-02f, -4.204533529e-03f, 4.413307470e-04f, -2.168637911e-05f));
  return select(abs(x) < Vec::broadcast(1.0f), near, copysign(far, x));
}

struct NormalTail {
  Vec tail;  // Φ(-|x|), right in its relative error too
  Vec bell;  // exp(-x² / 2)
};

// Φ(-a) = exp(-a²/2) q(1 / (1 + p a)), as Hastings (1955) has it for erfc: gelu and its gradient need a single exponential.
ATHANOR_INLINE NormalTail normal_tail(Vec x) {
  const Vec a = min(Vec::broadcast(14.0f), abs(x));  // beyond, both round to 0
  const Vec t = Vec::broadcast(1.0f) / fma(Vec::broadcast(0.295f), a, Vec::broadcast(1.0f));
  const Vec q = polynomial(t, 1.812754817e-05f, 1.172686219e-01f, 1.218601465e-01f, 8.406115323e-02f, 1.680339575e-01f,
                           -1.198129728e-01f, 2.736118734e-01f, -1.847621650e-01f, 3.972128406e-02f);
  const Vec bell = exp_nonpositive(-0.5f * a * a);
  return {bell * q, bell};
}

// x Φ(x) = max(x, 0) - |x| Φ(-|x|). Beyond 14 the second term is 0; at +inf the product would be NaN (at -inf it is, as in PyTorch).
ATHANOR_INLINE Vec gelu(Vec x) {
  const Vec a = select(x < Vec::zero(), abs(x), min(Vec::broadcast(14.0f), x));
  return fnma(a, normal_tail(x).tail, max(Vec::zero(), x));
}

// dy (Φ(x) + x φ(x)); a NaN comes through the clamped x.
ATHANOR_INLINE Vec gelu_grad(Vec dy, Vec x) {
  const NormalTail normal = normal_tail(x);
  const Vec bounded = max(Vec::broadcast(-14.0f), min(Vec::broadcast(14.0f), x));  // no inf * 0
  const Vec below = select(x < Vec::zero(), normal.tail, 1.0f - normal.tail);
  return dy * fma(bounded, 0.398942280f * normal.bell, below);
}

inline constexpr float kGeluTanhScale = 1.595769122f;  // 2 sqrt(2 / pi)
inline constexpr float kGeluTanhCubic = 0.044715f;

// (1 + tanh(u)) / 2 = sigmoid(2 u).
ATHANOR_INLINE Vec gelu_tanh(Vec x) { return x * sigmoid(kGeluTanhScale * fma(kGeluTanhCubic * x * x, x, x)); }

ATHANOR_INLINE Vec gelu_tanh_grad(Vec dy, Vec x) {
  const SigmoidPair pair = sigmoid_pair(kGeluTanhScale * fma(kGeluTanhCubic * x * x, x, x));
  const Vec bounded = max(Vec::broadcast(-1e4f), min(Vec::broadcast(1e4f), x));  // no inf * 0
  const Vec slope = kGeluTanhScale * fma(3.0f * kGeluTanhCubic * bounded, bounded, Vec::broadcast(1.0f));
  return dy * fma(bounded * pair.s * pair.complement, slope, pair.s);
}

ATHANOR_INLINE Vec silu(Vec x) { return x * sigmoid(x); }

ATHANOR_INLINE Vec silu_grad(Vec dy, Vec x) {
  const SigmoidPair pair = sigmoid_pair(x);
  return dy * pair.s * fma(x, pair.complement, Vec::broadcast(1.0f));
}

ATHANOR_INLINE Vec softsign(Vec x) { return x / (abs(x) + Vec::broadcast(1.0f)); }

ATHANOR_INLINE Vec hardswish(Vec x) {
  const Vec ramp = min(Vec::broadcast(6.0f), max(Vec::zero(), x + Vec::broadcast(3.0f)));
  return x * (ramp / Vec::broadcast(6.0f));  // 6 x may be beyond the largest float
}

// x tanh(log(1 + e)) with e = exp(x) is x w / (w + 2) with w = e (e + 2): no cancellation, and the factor is 1 from 20 on.
ATHANOR_INLINE Vec mish(Vec x) {
  const Vec e = exp(min(Vec::broadcast(20.0f), x)), w = e * (e + Vec::broadcast(2.0f));
  return x * (w / (w + Vec::broadcast(2.0f)));
}

// Klambauer et al. (2017).
inline constexpr float kSeluScale = 1.0507009873554804934f, kSeluAlphaScale = 1.7580993408473768599f;

ATHANOR_INLINE Vec selu(Vec x) {
  return select(x > Vec::zero(), Vec::broadcast(kSeluScale) * x, Vec::broadcast(kSeluAlphaScale) * expm1(x));
}

// pow in three steps: the logarithm's parts here, the product and the power in double (pow_middle, plain loops that the compiler
// vectorises), the scaling and the special cases of IEEE 754 here.
inline constexpr float kPowHuge = 1e30f;  // stands for infinity, so that the double loop needs no branch

struct PowParts {
  Vec e, m;  // |x| = m 2^e; e is -kPowHuge for 0 and kPowHuge for inf
};

ATHANOR_INLINE PowParts split_pow(Vec x) {
  const Vec a = abs(x);
  const Vec inf = Vec::broadcast(__builtin_inff());
  const Mask subnormal = a < Vec::broadcast(0x1p-126f);
  const IVec bits = as_int(select(subnormal, a * Vec::broadcast(0x1p23f), a));
  const IVec n = sra<23>(bits - IVec::broadcast(kSqrtHalfBits));
  const Vec m = as_float(bits - shl<23>(n));
  const Vec e = to_float(n) - select(subnormal, Vec::broadcast(23.0f), Vec::zero());
  const Vec huge = Vec::broadcast(kPowHuge);
  const Vec edge = select(a == Vec::zero(), -huge, select(a < inf, e, huge));
  return {select(a != a, a, edge), select((a == Vec::zero()) | (a == inf), Vec::broadcast(1.0f), m)};
}

ATHANOR_INLINE Vec finite_exponent(Vec y) { return max(Vec::broadcast(-kPowHuge), min(Vec::broadcast(kPowHuge), y)); }

// n, p with |x|^y = p 2^n, p in [0.7, 1.42] where |n| <= 160 and anything beyond.
ATHANOR_INLINE void pow_middle(float e, float m, float y, float& n, float& p) {
  const double t = (static_cast<double>(m) - 1.0) / (static_cast<double>(m) + 1.0);
  const double t2 = t * t;  // log2(m) / t in t^2
  const double log2m =
      t * (2.88539008179026535 +
           t2 * (9.61796673115074108e-01 +
                 t2 * (5.77083628821664640e-01 + t2 * (4.11670045259512951e-01 + t2 * 3.40780438147265663e-01))));
  const double z = static_cast<double>(y) * (static_cast<double>(e) + log2m);
  const double shifted = z + 0x1.8p52, whole = shifted - 0x1.8p52, r = z - whole;
  n = static_cast<float>(whole);
  p = static_cast<float>(9.99999999961073360e-01 +
                         r * (6.93147180731141233e-01 +
                              r * (2.40226512041483542e-01 +
                                   r * (5.55041034727873986e-02 +
                                        r * (9.61802644341626552e-03 +
                                             r * (1.33339254998138127e-03 +
                                                  r * (1.54695527886250902e-04 + r * 1.52017118923746418e-05)))))));
}

ATHANOR_INLINE Vec join_pow(Vec x, Vec y, Vec n, Vec p) {
  const Vec zero = Vec::zero(), one = Vec::broadcast(1.0f), inf = Vec::broadcast(__builtin_inff());
  const Vec limit = Vec::broadcast(160.0f);
  p = select(abs(n) > limit, one, p);
  const IVec whole = to_int(max(-limit, min(limit, n)));
  const IVec half = sra<1>(whole);
  Vec result = p * power_of_two(half) * power_of_two(whole - half);
  const Mask from_zero = abs(x) == zero, from_inf = abs(x) == inf;
  result = select((from_zero & (y > zero)) | (from_inf & (y < zero)), zero, result);
  result = select((from_zero & (y < zero)) | (from_inf & (y > zero)), inf, result);
  const Vec halved = 0.5f * y;
  const Mask integer = y == trunc(y);
  const Mask odd = integer & (halved != trunc(halved)) & (abs(y) < Vec::broadcast(16777216.0f));
  result = select(odd, copysign(result, x), result);
  result = select((x < zero) & ~integer & (x > -inf), Vec::broadcast(__builtin_nanf("")), result);
  result = select((x != x) | (y != y), x + y, result);
  return select((y == zero) | (x == one) | ((x == -one) & (abs(y) == inf)), one, result);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE

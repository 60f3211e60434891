// exp, log, the normal distribution and its tails in IEEE additions, multiplications, divisions and square roots alone: the same
// bits with every C library and on every processor, so that a search gives the same trials on all machines that share it.
// Sources: Cody 1969 (error function), Wichura 1988 AS 241 (normal quantile).
#pragma once

namespace athanor::tune {

inline constexpr double kPi = 3.14159265358979323846;
inline constexpr double kSqrtHalf = 0.70710678118654752440;
inline constexpr double kInvSqrt2Pi = 0.39894228040143267794;
inline constexpr double kLogSqrt2Pi = 0.91893853320467274178;

// e^x, relative error below 1e-15; 0 below -745, infinity above 709.78. Branchless but for the ends: loops of it vectorize.
double exp(double x);

// ln x, relative error below 1e-15; -infinity at 0, NaN below.
double log(double x);

// x^y of a positive x.
inline double power(double x, double y) { return exp(y * log(x)); }

double cos(double x);  // for |x| up to some thousands

// erfc(x) · e^(x²): what is left of the tail when its exponential is taken out.
double erfcx(double x);

double normal_pdf(double z);
double normal_cdf(double z);
double log_normal_cdf(double z);

// Φ⁻¹(p), p in (0, 1).
double normal_quantile(double p);

}  // namespace athanor::tune

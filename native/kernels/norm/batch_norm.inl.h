// Batch norm in training; the formulas are in norm.h. A task owns whole channels, so that nothing is shared between tasks:
// one channel of planes (L > 1), or a strip of columns (L == 1).
#pragma once
#include "kernels/norm/norm.h"
#include "kernels/norm/norm.inl.h"
#include "kernels/reduce/sums.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr Index kChannelStrip = 64;  // columns of (N, C)

ATHANOR_INLINE float rstd_of(double var, float eps) {
  return static_cast<float>(1.0 / __builtin_sqrt(var + static_cast<double>(eps)));
}

void batch_forward_plane(const BatchNormArgs& args, Index c) {
  const Index step = args.c * args.l, count = args.n * args.l;
  const float* x = args.x + c * args.l;
  const auto mean_of = [&](float shift, auto f) {
    double sum = 0;
    for (Index n = 0; n < args.n; ++n) sum += sum_shifted(x + n * step, args.l, shift, f);
    return sum / static_cast<double>(count);
  };
  const auto itself = [](auto v) { return v; };
  const auto squared = [](auto v) { return v * v; };
  double sum = 0;
  for (Index n = 0; n < args.n; ++n) sum += sum_of(x + n * step, args.l, itself);
  float mean = static_cast<float>(sum / static_cast<double>(count));
  double var = mean_of(mean, squared);
  if (is_far(static_cast<double>(mean), var, args.eps)) {
    mean = static_cast<float>(static_cast<double>(mean) + mean_of(mean, itself));
    var = mean_of(mean, squared);
  }
  args.mean[c] = mean;
  args.var[c] = static_cast<float>(var);
  args.rstd[c] = rstd_of(var, args.eps);
  const Vec center = Vec::broadcast(mean);
  const Vec scale = Vec::broadcast(args.gamma != nullptr ? args.rstd[c] * args.gamma[c] : args.rstd[c]);
  const Vec beta = Vec::broadcast(args.beta != nullptr ? args.beta[c] : 0.0f);
  float* y = args.y + c * args.l;
  for (Index n = 0; n < args.n; ++n) {
    for_each_vector(args.l, [&](Index i, Index width) ATHANOR_INLINED {
      store_width(y + n * step + i, fma(load_width(x + n * step + i, width) - center, scale, beta), width);
    });
  }
}

// Rows [0, n) of a strip of `width` columns, `step` apart: total[j] = sum of f(row, j), blocks of 32 rows in f32.
template <class F>
ATHANOR_INLINE void sum_columns(Index n, Index width, double* total, F f) {
  for (Index j = 0; j < width; ++j) total[j] = 0;
  for (Index begin = 0; begin < n; begin += kSumBlock) {
    const Index end = begin + kSumBlock < n ? begin + kSumBlock : n;
    float block[kChannelStrip] = {};
    for (Index r = begin; r < end; ++r)
      for (Index j = 0; j < width; ++j) block[j] += f(r, j);
    for (Index j = 0; j < width; ++j) total[j] += static_cast<double>(block[j]);
  }
}

// Takes the means that are far from zero again; whether there is one. `total` holds the squared distances from them.
inline bool refine_means(const BatchNormArgs& args, const float* x, Index width, double* total, float* mean) {
  const double count = static_cast<double>(args.n);
  bool far[kChannelStrip], any = false;
  for (Index j = 0; j < width; ++j) {
    far[j] = is_far(static_cast<double>(mean[j]), total[j] / count, args.eps);
    any = any || far[j];
  }
  if (!any) return false;
  sum_columns(args.n, width, total, [&](Index r, Index j) { return x[r * args.c + j] - mean[j]; });
  for (Index j = 0; j < width; ++j)
    if (far[j]) mean[j] = static_cast<float>(static_cast<double>(mean[j]) + total[j] / count);
  return true;
}

void batch_forward_columns(const BatchNormArgs& args, Index first, Index width) {
  const Index step = args.c;
  const float* x = args.x + first;
  float* y = args.y + first;
  double total[kChannelStrip];
  float mean[kChannelStrip], scale[kChannelStrip], beta[kChannelStrip];
  sum_columns(args.n, width, total, [&](Index r, Index j) { return x[r * step + j]; });
  for (Index j = 0; j < width; ++j) mean[j] = static_cast<float>(total[j] / static_cast<double>(args.n));
  const auto squares = [&] {
    sum_columns(args.n, width, total,
                [&](Index r, Index j) { return (x[r * step + j] - mean[j]) * (x[r * step + j] - mean[j]); });
  };
  squares();
  if (refine_means(args, x, width, total, mean)) squares();
  for (Index j = 0; j < width; ++j) {
    const Index c = first + j;
    const double var = total[j] / static_cast<double>(args.n);
    args.mean[c] = mean[j];
    args.var[c] = static_cast<float>(var);
    args.rstd[c] = rstd_of(var, args.eps);
    scale[j] = args.gamma != nullptr ? args.rstd[c] * args.gamma[c] : args.rstd[c];
    beta[j] = args.beta != nullptr ? args.beta[c] : 0.0f;
  }
  for (Index r = 0; r < args.n; ++r)
    for (Index j = 0; j < width; ++j) y[r * step + j] = (x[r * step + j] - mean[j]) * scale[j] + beta[j];
}

template <class Plane, class Columns>
void for_channels(Index c, Index l, Parallel& parallel, Plane plane, Columns columns) {
  if (l != 1) return parallel.run(static_cast<int>(c), [&](int task, int) { plane(task); });
  const Index tasks = (c + kChannelStrip - 1) / kChannelStrip;
  parallel.run(static_cast<int>(tasks), [&](int task, int) {
    const Index first = task * kChannelStrip;
    columns(first, c - first < kChannelStrip ? c - first : kChannelStrip);
  });
}

Index batch_forward_workspace(const BatchNormArgs&) { return 0; }

void batch_forward(const BatchNormArgs& args, Parallel& parallel, void*) {
  for_channels(
      args.c, args.l, parallel, [&](Index c) { batch_forward_plane(args, c); },
      [&](Index first, Index width) { batch_forward_columns(args, first, width); });
}

// dx = scale (dy - mean_dy - h mean_dyh), h = (x - mean) rstd.
void batch_backward_plane(const BatchNormBackwardArgs& args, Index c) {
  const Index step = args.c * args.l, at = c * args.l;
  const double count = static_cast<double>(args.n * args.l);
  const Vec mean = Vec::broadcast(args.mean[c]), rstd = Vec::broadcast(args.rstd[c]);
  double sum_dy = 0, sum_dyh = 0;
  for (Index n = 0; n < args.n; ++n) {
    const float *x = args.x + at + n * step, *dy = args.dy + at + n * step;
    sum_dy += sum_of(dy, args.l, [](Vec g) { return g; });
    sum_dyh +=
        sum_of(dy, x, args.l, [=](Vec g, Vec v) { return g * ((v - mean) * rstd); });  // g is zero beyond the end
  }
  if (args.dgamma != nullptr) args.dgamma[c] = static_cast<float>(sum_dyh);
  if (args.dbeta != nullptr) args.dbeta[c] = static_cast<float>(sum_dy);
  if (args.dx == nullptr) return;
  const Vec mean_dy = Vec::broadcast(static_cast<float>(sum_dy / count)),
            mean_dyh = Vec::broadcast(static_cast<float>(sum_dyh / count));
  const Vec scale = Vec::broadcast(args.gamma != nullptr ? args.rstd[c] * args.gamma[c] : args.rstd[c]);
  for (Index n = 0; n < args.n; ++n) {
    const Index row = at + n * step;
    for_each_vector(args.l, [&](Index i, Index width) ATHANOR_INLINED {
      const Vec h = (load_width(args.x + row + i, width) - mean) * rstd;
      store_width(args.dx + row + i, scale * fnma(h, mean_dyh, load_width(args.dy + row + i, width) - mean_dy), width);
    });
  }
}

void batch_backward_columns(const BatchNormBackwardArgs& args, Index first, Index width) {
  const Index step = args.c;
  const float *x = args.x + first, *dy = args.dy + first, *mean = args.mean + first, *rstd = args.rstd + first;
  double sum_dy[kChannelStrip], sum_dyh[kChannelStrip];
  sum_columns(args.n, width, sum_dy, [&](Index r, Index j) { return dy[r * step + j]; });
  sum_columns(args.n, width, sum_dyh,
              [&](Index r, Index j) { return dy[r * step + j] * ((x[r * step + j] - mean[j]) * rstd[j]); });
  float scale[kChannelStrip], mean_dy[kChannelStrip], mean_dyh[kChannelStrip];
  for (Index j = 0; j < width; ++j) {
    if (args.dgamma != nullptr) args.dgamma[first + j] = static_cast<float>(sum_dyh[j]);
    if (args.dbeta != nullptr) args.dbeta[first + j] = static_cast<float>(sum_dy[j]);
    scale[j] = args.gamma != nullptr ? rstd[j] * args.gamma[first + j] : rstd[j];
    mean_dy[j] = static_cast<float>(sum_dy[j] / static_cast<double>(args.n));
    mean_dyh[j] = static_cast<float>(sum_dyh[j] / static_cast<double>(args.n));
  }
  if (args.dx == nullptr) return;
  float* dx = args.dx + first;
  for (Index r = 0; r < args.n; ++r)
    for (Index j = 0; j < width; ++j) {
      const float h = (x[r * step + j] - mean[j]) * rstd[j];
      dx[r * step + j] = scale[j] * (dy[r * step + j] - mean_dy[j] - h * mean_dyh[j]);
    }
}

Index batch_backward_workspace(const BatchNormBackwardArgs&) { return 0; }

void batch_backward(const BatchNormBackwardArgs& args, Parallel& parallel, void*) {
  for_channels(
      args.c, args.l, parallel, [&](Index c) { batch_backward_plane(args, c); },
      [&](Index first, Index width) { batch_backward_columns(args, first, width); });
}

constexpr NormKernels norm_kernels() {
  return {norm_forward,  norm_backward_workspace,  norm_backward, batch_forward_workspace,
          batch_forward, batch_backward_workspace, batch_backward};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE

// Layer norm, RMS norm and batch norm with their gradients (kernels/norm/norm.h). A block a row, or a block a channel; sums in f64.
// dgamma and dbeta: partial sums of fixed stretches of rows, then joined in order.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/plugin/families.h"
#include "device/launch.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;
constexpr Index kStretch = 64;  // rows of a partial sum

ATHANOR_DEVICE double inverse_root(double variance, float eps) {
  return 1.0 / ::sqrt(variance + static_cast<double>(eps));
}

ATHANOR_KERNEL(kThreads) norm_kernel(ATHANOR_PARAM(NormArgs) p) {
  SHARED(double, room, [kThreads / kWarpSize]);
  const Index r = blockIdx.x, n = p.cols;
  const float* x = p.x + r * n;
  double mean = 0, square = 0;
  if (p.kind == NormKind::layer) {
    for (Index c = threadIdx.x; c < n; c += kThreads) mean += static_cast<double>(x[c]);
    mean = block_reduce<kThreads>(mean, room, Add{}) / static_cast<double>(n);
  }
  for (Index c = threadIdx.x; c < n; c += kThreads) {
    const double d = static_cast<double>(x[c]) - mean;
    square += d * d;
  }
  const double rstd = inverse_root(block_reduce<kThreads>(square, room, Add{}) / static_cast<double>(n), p.eps);
  const float m = static_cast<float>(mean), s = static_cast<float>(rstd);
  for (Index c = threadIdx.x; c < n; c += kThreads) {
    float y = static_cast<float>((static_cast<double>(x[c]) - mean) * rstd);
    if (p.gamma != nullptr) y = y * p.gamma[c];
    if (p.beta != nullptr) y = y + p.beta[c];
    p.y[r * n + c] = y;
  }
  if (threadIdx.x == 0) {
    if (p.mean != nullptr) p.mean[r] = m;
    if (p.rstd != nullptr) p.rstd[r] = s;
  }
}

// dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma; RMS norm lacks the first mean.
ATHANOR_KERNEL(kThreads) norm_grad_kernel(ATHANOR_PARAM(NormBackwardArgs) p) {
  SHARED(double, room, [kThreads / kWarpSize]);
  const Index r = blockIdx.x, n = p.cols;
  const float *x = p.x + r * n, *dy = p.dy + r * n;
  const float mean = p.kind == NormKind::layer ? p.mean[r] : 0.0f, rstd = p.rstd[r];
  double sum = 0, along = 0;
  for (Index c = threadIdx.x; c < n; c += kThreads) {
    const double g = static_cast<double>(dy[c]) * (p.gamma != nullptr ? static_cast<double>(p.gamma[c]) : 1.0);
    sum += g;
    along += g * static_cast<double>((x[c] - mean) * rstd);
  }
  sum = p.kind == NormKind::layer ? block_reduce<kThreads>(sum, room, Add{}) / static_cast<double>(n) : 0.0;
  along = block_reduce<kThreads>(along, room, Add{}) / static_cast<double>(n);
  const float first = static_cast<float>(sum), second = static_cast<float>(along);
  for (Index c = threadIdx.x; c < n; c += kThreads) {
    const float g = p.gamma != nullptr ? dy[c] * p.gamma[c] : dy[c];
    p.dx[r * n + c] = rstd * (g - first - (x[c] - mean) * rstd * second);
  }
}

// partial: (stretches, 2, cols) of dgamma and dbeta.
ATHANOR_KERNEL(kThreads) norm_columns_kernel(ATHANOR_PARAM(NormBackwardArgs) p, double* partial) {
  const Index c = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x, begin = blockIdx.y * kStretch;
  if (c >= p.cols) return;
  const Index end = begin + kStretch < p.rows ? begin + kStretch : p.rows;
  double gamma = 0, beta = 0;
  for (Index r = begin; r < end; ++r) {
    const float mean = p.kind == NormKind::layer ? p.mean[r] : 0.0f;
    const double dy = static_cast<double>(p.dy[r * p.cols + c]);
    gamma += dy * static_cast<double>((p.x[r * p.cols + c] - mean) * p.rstd[r]);
    beta += dy;
  }
  partial[(blockIdx.y * 2) * p.cols + c] = gamma;
  partial[(blockIdx.y * 2 + 1) * p.cols + c] = beta;
}

ATHANOR_KERNEL(kThreads) norm_join_kernel(ATHANOR_PARAM(NormBackwardArgs) p, const double* partial, Index stretches) {
  const Index c = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= p.cols) return;
  double gamma = 0, beta = 0;
  for (Index s = 0; s < stretches; ++s) {
    gamma += partial[(s * 2) * p.cols + c];
    beta += partial[(s * 2 + 1) * p.cols + c];
  }
  if (p.dgamma != nullptr) p.dgamma[c] = static_cast<float>(gamma);
  if (p.dbeta != nullptr) p.dbeta[c] = static_cast<float>(beta);
}

Index stretches_of(Index rows) { return (rows + kStretch - 1) / kStretch; }

device::Result norm_run(device::Stream* stream, const device::Norm& given, void*) {
  if (given.args.rows == 0) return device::Result::ok;
  return LAUNCH(norm_kernel, static_cast<std::uint32_t>(given.args.rows), kThreads, 0, stream, given.args);
}

bool wants_columns(const NormBackwardArgs& args) {
  return (args.dgamma != nullptr || args.dbeta != nullptr) && args.cols > 0;
}

Index norm_grad_workspace(const device::NormGrad& given) {
  return wants_columns(given.args) ? stretches_of(given.args.rows) * 2 * given.args.cols * 8 : 0;
}

device::Result norm_grad_run(device::Stream* stream, const device::NormGrad& given, void* workspace) {
  const NormBackwardArgs& p = given.args;
  auto* partial = static_cast<double*>(workspace);
  const Index stretches = stretches_of(p.rows);
  device::Result result = device::Result::ok;
  if (wants_columns(p)) {
    const std::uint32_t across = blocks_for(p.cols, kThreads);
    if (stretches > 0)
      result = LAUNCH(norm_columns_kernel, Dim3(across, static_cast<std::uint32_t>(stretches)), kThreads, 0, stream, p,
                      partial);
    if (result == device::Result::ok)
      result = LAUNCH(norm_join_kernel, across, kThreads, 0, stream, p, static_cast<const double*>(partial), stretches);
  }
  // Last, because dx may be dy.
  if (result == device::Result::ok && p.dx != nullptr && p.rows > 0 && p.cols > 0)
    result = LAUNCH(norm_grad_kernel, static_cast<std::uint32_t>(p.rows), kThreads, 0, stream, p);
  return result;
}

// Element k of channel c of (N, C, L) lies at (k / L) C L + c L + k % L.
ATHANOR_DEVICE Index channel_offset(Index k, Index c, Index channels, Index l) {
  const Index n = k / l;
  return (n * channels + c) * l + (k - n * l);
}

ATHANOR_KERNEL(kThreads) batch_norm_kernel(ATHANOR_PARAM(BatchNormArgs) p) {
  SHARED(double, room, [kThreads / kWarpSize]);
  const Index c = blockIdx.x, count = p.n * p.l;
  double mean = 0, square = 0;
  for (Index k = threadIdx.x; k < count; k += kThreads)
    mean += static_cast<double>(p.x[channel_offset(k, c, p.c, p.l)]);
  mean = block_reduce<kThreads>(mean, room, Add{}) / static_cast<double>(count);
  for (Index k = threadIdx.x; k < count; k += kThreads) {
    const double d = static_cast<double>(p.x[channel_offset(k, c, p.c, p.l)]) - mean;
    square += d * d;
  }
  const double variance = block_reduce<kThreads>(square, room, Add{}) / static_cast<double>(count);
  const double rstd = inverse_root(variance, p.eps);
  const float gamma = p.gamma != nullptr ? p.gamma[c] : 1.0f, beta = p.beta != nullptr ? p.beta[c] : 0.0f;
  for (Index k = threadIdx.x; k < count; k += kThreads) {
    const Index at = channel_offset(k, c, p.c, p.l);
    p.y[at] = static_cast<float>((static_cast<double>(p.x[at]) - mean) * rstd) * gamma + beta;
  }
  if (threadIdx.x == 0) {
    if (p.mean != nullptr) p.mean[c] = static_cast<float>(mean);
    if (p.var != nullptr) p.var[c] = static_cast<float>(variance);
    if (p.rstd != nullptr) p.rstd[c] = static_cast<float>(rstd);
  }
}

ATHANOR_KERNEL(kThreads) batch_norm_grad_kernel(ATHANOR_PARAM(BatchNormBackwardArgs) p) {
  SHARED(double, room, [kThreads / kWarpSize]);
  const Index c = blockIdx.x, count = p.n * p.l;
  const float mean = p.mean[c], rstd = p.rstd[c], gamma = p.gamma != nullptr ? p.gamma[c] : 1.0f;
  double sum = 0, along = 0;
  for (Index k = threadIdx.x; k < count; k += kThreads) {
    const Index at = channel_offset(k, c, p.c, p.l);
    const double dy = static_cast<double>(p.dy[at]);
    sum += dy;
    along += dy * static_cast<double>((p.x[at] - mean) * rstd);
  }
  sum = block_reduce<kThreads>(sum, room, Add{});
  along = block_reduce<kThreads>(along, room, Add{});
  if (threadIdx.x == 0) {
    if (p.dbeta != nullptr) p.dbeta[c] = static_cast<float>(sum);
    if (p.dgamma != nullptr) p.dgamma[c] = static_cast<float>(along);
  }
  if (p.dx == nullptr) return;
  const float first = static_cast<float>(sum / static_cast<double>(count)),
              second = static_cast<float>(along / static_cast<double>(count));
  for (Index k = threadIdx.x; k < count; k += kThreads) {
    const Index at = channel_offset(k, c, p.c, p.l);
    p.dx[at] = rstd * gamma * (p.dy[at] - first - (p.x[at] - mean) * rstd * second);
  }
}

device::Result batch_norm_run(device::Stream* stream, const device::BatchNorm& given, void*) {
  if (given.args.c == 0) return device::Result::ok;
  return LAUNCH(batch_norm_kernel, static_cast<std::uint32_t>(given.args.c), kThreads, 0, stream, given.args);
}
device::Result batch_norm_grad_run(device::Stream* stream, const device::BatchNormGrad& given, void*) {
  if (given.args.c == 0) return device::Result::ok;
  return LAUNCH(batch_norm_grad_kernel, static_cast<std::uint32_t>(given.args.c), kThreads, 0, stream, given.args);
}

}  // namespace

void fill_norm(device::Launchers& launch) {
  launch.norm = {never<device::Norm>, no_workspace<device::Norm>, norm_run};
  launch.norm_grad = {never<device::NormGrad>, norm_grad_workspace, norm_grad_run};
  launch.batch_norm = {never<device::BatchNorm>, no_workspace<device::BatchNorm>, batch_norm_run};
  launch.batch_norm_grad = {never<device::BatchNormGrad>, no_workspace<device::BatchNormGrad>, batch_norm_grad_run};
}

}  // namespace athanor::cuda

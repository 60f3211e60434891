// Softmax, log-softmax and their gradients over one axis, and cross-entropy from logits with its gradient (kernels/softmax/softmax.h).
// A block a row; rows of an inner axis are read where they lie. Sums of a row are formed in f64.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/status.cuh"
#include "cuda/plugin/families.h"
#include "device/launch.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;

// Element c of row r lies at base + c stride.
struct Row {
  Index base, stride;
};
ATHANOR_DEVICE Row row_of(Index r, Index cols, Index inner) {
  const Index o = r / inner;
  return {o * cols * inner + (r - o * inner), inner};
}

struct LogSum {
  float max;
  double sum;  // of exp(x - max)
};

// A row with a NaN or +inf, or of -inf alone, gives NaN.
ATHANOR_DEVICE LogSum log_sum(const float* x, Row row, Index cols, float* room, double* wide) {
  float max = -infinity();
  for (Index c = threadIdx.x; c < cols; c += kThreads) max = MaxNan{}(max, x[row.base + c * row.stride]);
  max = block_reduce<kThreads>(max, room, MaxNan{});
  double sum = 0;
  for (Index c = threadIdx.x; c < cols; c += kThreads)
    sum += static_cast<double>(exp_nonpositive(x[row.base + c * row.stride] - max));
  sum = block_reduce<kThreads>(sum, wide, Add{});
  const bool bad = !(max > -infinity() && max < infinity());
  return {bad ? quiet_nan() : max, bad ? static_cast<double>(quiet_nan()) : sum};
}

ATHANOR_KERNEL(kThreads) softmax_kernel(ATHANOR_PARAM(device::Softmax) p) {
  SHARED(float, room, [kThreads / kWarpSize]);
  SHARED(double, wide, [kThreads / kWarpSize]);
  const Index cols = p.args.cols;
  const Row row = row_of(blockIdx.x, cols, p.inner);
  const LogSum total = log_sum(p.args.x, row, cols, room, wide);
  const float log_of_sum = static_cast<float>(::log(total.sum)), scale = static_cast<float>(1.0 / total.sum);
  for (Index c = threadIdx.x; c < cols; c += kThreads) {
    const Index at = row.base + c * row.stride;
    const float shifted = p.args.x[at] - total.max;
    p.args.y[at] = p.args.log ? shifted - log_of_sum : exp_nonpositive(shifted) * scale;
  }
}

ATHANOR_KERNEL(kThreads) softmax_grad_kernel(ATHANOR_PARAM(device::SoftmaxGrad) p) {
  SHARED(double, wide, [kThreads / kWarpSize]);
  const Index cols = p.args.cols;
  const Row row = row_of(blockIdx.x, cols, p.inner);
  double sum = 0;
  for (Index c = threadIdx.x; c < cols; c += kThreads) {
    const Index at = row.base + c * row.stride;
    const double dy = static_cast<double>(p.args.dy[at]);
    sum += p.args.log ? dy : dy * static_cast<double>(p.args.y[at]);
  }
  const float total = static_cast<float>(block_reduce<kThreads>(sum, wide, Add{}));
  for (Index c = threadIdx.x; c < cols; c += kThreads) {
    const Index at = row.base + c * row.stride;
    const float y = p.args.y[at], dy = p.args.dy[at];
    p.args.dx[at] = p.args.log ? dy - kernels::lane::exp(Vec{y}).v * total : y * (dy - total);
  }
}

enum class Label : std::uint8_t { good, ignored, bad };
ATHANOR_DEVICE Label label_of(const CrossEntropyArgs& args, Index r, std::int32_t& label) {
  label = args.label_dtype == DType::u8 ? static_cast<const std::uint8_t*>(args.labels)[r]
                                        : static_cast<const std::int32_t*>(args.labels)[r];
  if (args.has_ignore_index && label == args.ignore_index) return Label::ignored;
  return label >= 0 && label < args.classes ? Label::good : Label::bad;
}

// dx = g (exp(x - lse) - target), with lse in two parts: far from zero a single f32 would lose what exp needs.
ATHANOR_DEVICE void write_gradient(const CrossEntropyArgs& args, Index r, std::int32_t label, bool good, float g,
                                   float max, float log_of_sum, float* dx) {
  const Index n = args.classes;
  const float other = args.smoothing / static_cast<float>(n);
  const float target = 1.0f - args.smoothing;
  for (Index c = threadIdx.x; c < n; c += kThreads) {
    float d = 0;
    if (good) {
      d = g * (exp_nonpositive(args.x[r * n + c] - max - log_of_sum) - other);
      if (c == label) d -= g * target;
    }
    dx[r * n + c] = d;
  }
}

ATHANOR_KERNEL(kThreads) cross_entropy_kernel(ATHANOR_PARAM(device::CrossEntropy) p) {
  SHARED(float, room, [kThreads / kWarpSize]);
  SHARED(double, wide, [kThreads / kWarpSize]);
  const CrossEntropyArgs& args = p.args;
  const Index r = blockIdx.x, n = args.classes;
  std::int32_t label;
  const Label kind = label_of(args, r, label);
  const LogSum total = log_sum(args.x, {r * n, 1}, n, room, wide);
  const float log_of_sum = static_cast<float>(::log(total.sum));
  double sum = 0;
  if (args.smoothing != 0) {
    for (Index c = threadIdx.x; c < n; c += kThreads) sum += static_cast<double>(args.x[r * n + c] - total.max);
    sum = block_reduce<kThreads>(sum, wide, Add{});
  }
  if (threadIdx.x == 0) {
    const double exact = ::log(total.sum);
    p.lse[r] = n == 0 ? -infinity() : static_cast<float>(static_cast<double>(total.max) + exact);
    float loss = 0;
    if (kind == Label::good) {
      const double s = static_cast<double>(args.smoothing);
      const double toward = static_cast<double>(args.x[r * n + label] - total.max);
      loss = static_cast<float>(exact - (1 - s) * toward - (s == 0 ? 0.0 : s / static_cast<double>(n) * sum));
    } else if (kind == Label::bad) {
      loss = quiet_nan();
      report_bad(p.check, device::StatusCode::label, r, static_cast<std::uint32_t>(label));
    }
    p.loss[r] = loss;
  }
  if (p.dx != nullptr) {
    const float g = kind == Label::good ? p.dloss[r * p.dloss_stride] : 0.0f;
    write_gradient(args, r, label, kind == Label::good, g, total.max, log_of_sum, p.dx);
  }
}

// Rows that count, by one block.
ATHANOR_KERNEL(kThreads) count_labels_kernel(ATHANOR_PARAM(device::CrossEntropy) p) {
  SHARED(std::int32_t, room, [kThreads / kWarpSize]);
  std::int32_t count = 0, label;
  for (Index r = threadIdx.x; r < p.args.rows; r += kThreads)
    count += label_of(p.args, r, label) == Label::good ? 1 : 0;
  count = block_reduce<kThreads>(count, room, Add{});
  if (threadIdx.x == 0) *p.counted = static_cast<float>(count);
}

ATHANOR_KERNEL(kThreads) cross_entropy_grad_kernel(ATHANOR_PARAM(device::CrossEntropyGrad) p) {
  SHARED(float, room, [kThreads / kWarpSize]);
  SHARED(double, wide, [kThreads / kWarpSize]);
  const CrossEntropyArgs& args = p.args;
  const Index r = blockIdx.x, n = args.classes;
  std::int32_t label;
  const bool good = label_of(args, r, label) == Label::good;
  float max = p.lse[r], log_of_sum = 0;
  if (!(fabsf(max) < 64.0f)) {  // an f32 errs by 2^-19 at most below
    const LogSum total = log_sum(args.x, {r * n, 1}, n, room, wide);
    max = total.max;
    log_of_sum = static_cast<float>(::log(total.sum));
  }
  write_gradient(args, r, label, good, good ? p.dloss[r * p.dloss_stride] : 0.0f, max, log_of_sum, p.dx);
}

template <class Args>
const char* refuses_rows(const Args& args) {
  return args.args.rows > 0x7fffffff ? "more than 2^31 rows" : nullptr;
}

device::Result softmax_run(device::Stream* stream, const device::Softmax& args, void*) {
  if (args.args.rows == 0 || args.args.cols == 0) return device::Result::ok;
  return LAUNCH(softmax_kernel, static_cast<std::uint32_t>(args.args.rows), kThreads, 0, stream, args);
}
device::Result softmax_grad_run(device::Stream* stream, const device::SoftmaxGrad& args, void*) {
  if (args.args.rows == 0 || args.args.cols == 0) return device::Result::ok;
  return LAUNCH(softmax_grad_kernel, static_cast<std::uint32_t>(args.args.rows), kThreads, 0, stream, args);
}
device::Result cross_entropy_run(device::Stream* stream, const device::CrossEntropy& args, void*) {
  const device::Result counted = LAUNCH(count_labels_kernel, 1, kThreads, 0, stream, args);
  if (args.args.rows == 0 || counted != device::Result::ok) return counted;
  return LAUNCH(cross_entropy_kernel, static_cast<std::uint32_t>(args.args.rows), kThreads, 0, stream, args);
}
device::Result cross_entropy_grad_run(device::Stream* stream, const device::CrossEntropyGrad& args, void*) {
  if (args.args.rows == 0 || args.args.classes == 0) return device::Result::ok;
  return LAUNCH(cross_entropy_grad_kernel, static_cast<std::uint32_t>(args.args.rows), kThreads, 0, stream, args);
}

}  // namespace

void fill_softmax(device::Launchers& launch) {
  launch.softmax = {refuses_rows<device::Softmax>, no_workspace<device::Softmax>, softmax_run};
  launch.softmax_grad = {refuses_rows<device::SoftmaxGrad>, no_workspace<device::SoftmaxGrad>, softmax_grad_run};
  launch.cross_entropy = {refuses_rows<device::CrossEntropy>, no_workspace<device::CrossEntropy>, cross_entropy_run};
  launch.cross_entropy_grad = {refuses_rows<device::CrossEntropyGrad>, no_workspace<device::CrossEntropyGrad>,
                               cross_entropy_grad_run};
}

}  // namespace athanor::cuda

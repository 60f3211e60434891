#include "cuda/check/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace athanor::check {

using test::DeviceArray;
using test::plugin;
using test::require;
using test::stream;

bool is_dry() { return std::strcmp(plugin().name, "cuda-emulated") == 0; }
Index sized(Index on_device, Index dry) { return is_dry() ? dry : on_device; }

double seconds(const std::function<void()>& work) {
  device::Event *begin = nullptr, *end = nullptr;
  require(plugin().event_create(0, &begin));
  require(plugin().event_create(0, &end));
  const auto once = [&](int repeats) {
    require(plugin().event_record(begin, stream()));
    for (int r = 0; r < repeats; ++r) work();
    require(plugin().event_record(end, stream()));
    require(plugin().event_synchronize(end));
    double milliseconds = 0;
    require(plugin().event_elapsed(begin, end, &milliseconds));
    return milliseconds / 1000 / repeats;
  };
  const double first = once(is_dry() ? 1 : 3);
  const int repeats = is_dry() ? 1 : static_cast<int>(std::clamp(0.05 / std::max(first, 1e-7), 3.0, 2000.0));
  std::vector<double> times;
  for (int sample = 0; sample < (is_dry() ? 1 : 7); ++sample) times.push_back(once(repeats));
  plugin().event_destroy(begin);
  plugin().event_destroy(end);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

double copy_bandwidth() {
  const Index bytes = sized(Index{1} << 30, 1 << 16);
  const DeviceArray<std::byte> from(static_cast<std::size_t>(bytes)), to(static_cast<std::size_t>(bytes));
  require(plugin().clear(stream(), from.data(), bytes));
  return 2.0 * static_cast<double>(bytes) /
         seconds([&] { require(plugin().copy(stream(), to.data(), from.data(), bytes)); });
}

Row against_copy(double bytes, double time) {
  const double copy = copy_bandwidth();
  char text[96];
  std::snprintf(text, sizeof text, "%.3f of a copy's %.0f GB/s", bytes / time / copy, copy / 1e9);
  return {bytes / time / 1e9, "GB/s", text};
}

namespace {

Row copy() { return {copy_bandwidth() / 1e9, "GB/s", "1 GiB within the device, read and written"}; }

// One tensor or many, of equal sizes; the streams of a step: gradient, parameter and states, read and written.
struct Optimizer {
  DeviceArray<float> param, grad, m, v;
  DeviceArray<device::OptimTensor> tensors;
  std::vector<device::OptimChunk> host_chunks;
  DeviceArray<device::OptimChunk> chunks;
  DeviceArray<double> hyper, report{4};
  DeviceArray<device::OptimCounter> counter{std::vector<device::OptimCounter>(1)};
  device::OptimStep step;
  DeviceArray<std::byte> workspace;

  Optimizer(Index each, int count, bool norm)
      : param(static_cast<std::size_t>(each * count)),
        grad(static_cast<std::size_t>(each * count)),
        m(static_cast<std::size_t>(each * count)),
        v(static_cast<std::size_t>(each * count)),
        tensors(table(each, count)),
        host_chunks(cut(each, count)),
        chunks(host_chunks),
        hyper(std::vector<double>{1e-3, 1e-2, 0.9, 0.999, 1e-8, 0, 0}),
        step(make(count, norm)),
        workspace(static_cast<std::size_t>(plugin().launch.optim_step.workspace(step))) {
    for (const DeviceArray<float>* array : {&param, &grad, &m, &v})
      require(plugin().clear(stream(), array->data(), each * count * 4));
  }

  std::vector<device::OptimTensor> table(Index each, int count) const {
    std::vector<device::OptimTensor> rows(static_cast<std::size_t>(count));
    for (int t = 0; t < count; ++t) {
      device::OptimTensor& row = rows[static_cast<std::size_t>(t)];
      row.param = param.data() + t * each, row.grad = grad.data() + t * each, row.n = each;
      row.state[0] = m.data() + t * each, row.state[1] = v.data() + t * each;
    }
    return rows;
  }
  static std::vector<device::OptimChunk> cut(Index each, int count) {
    const std::vector<Index> sizes(static_cast<std::size_t>(count), each);
    std::vector<device::OptimChunk> pieces(
        static_cast<std::size_t>(device::optim_chunks(sizes.data(), count, nullptr)));
    device::optim_chunks(sizes.data(), count, pieces.data());
    return pieces;
  }
  device::OptimStep make(int count, bool norm) const {
    device::OptimStep made;
    made.rule = optim::RuleId::adamw;
    made.tensors = tensors.data(), made.chunks = chunks.data();
    made.tensor_count = count, made.chunk_count = static_cast<std::int32_t>(chunks.size()), made.groups = 1;
    made.hyper = hyper.data(), made.counter = counter.data(), made.report = report.data();
    if (norm) made.max_norm = 1;
    return made;
  }
  double time() {
    return seconds([this] { run(plugin().launch.optim_step, step, workspace.data()); });
  }
};

Row adamw(Index elements, bool norm) {
  Optimizer optimizer(elements, 1, norm);
  return against_copy((norm ? 32.0 : 28.0) * static_cast<double>(elements), optimizer.time());
}
Row adamw_124m() { return adamw(sized(124'000'000, 20'000), false); }
Row adamw_1b() { return adamw(sized(1'000'000'000, 20'000), false); }
Row adamw_clipped() { return adamw(sized(124'000'000, 20'000), true); }
Row adamw_2000() {
  Optimizer optimizer(1000, static_cast<int>(sized(2000, 20)), false);
  return {optimizer.time() * 1e6, "us", "2,000 tensors of 1,000 elements, one step"};
}

Row layer_norm() {
  const Index rows = sized(16384, 8), cols = 4096;
  const auto n = static_cast<std::size_t>(rows * cols);
  const DeviceArray<float> x(n), y(n), gamma(4096), beta(4096), mean(static_cast<std::size_t>(rows)),
      rstd(static_cast<std::size_t>(rows));
  for (const DeviceArray<float>* array : {&x, &gamma, &beta})
    require(plugin().clear(stream(), array->data(), static_cast<Index>(array->size()) * 4));
  const device::Norm args{
      {NormKind::layer, rows, cols, 1e-5f, x.data(), gamma.data(), beta.data(), y.data(), mean.data(), rstd.data()}};
  return against_copy(8.0 * static_cast<double>(n), seconds([&] { run(plugin().launch.norm, args, nullptr); }));
}

Row softmax() {
  const Index rows = sized(16384, 8), cols = 4096;
  const auto n = static_cast<std::size_t>(rows * cols);
  const DeviceArray<float> x(n), y(n);
  require(plugin().clear(stream(), x.data(), rows * cols * 4));
  const device::Softmax args{{false, rows, cols, x.data(), y.data()}, 1};
  return against_copy(8.0 * static_cast<double>(n), seconds([&] { run(plugin().launch.softmax, args, nullptr); }));
}

Row cross_entropy() {
  const Index rows = sized(8192, 4), classes = sized(50304, 1000);
  const auto n = static_cast<std::size_t>(rows * classes), r = static_cast<std::size_t>(rows);
  const DeviceArray<float> x(n), dx(n), loss(r), lse(r), counted(1), dloss(std::vector<float>{1});
  const DeviceArray<std::int32_t> labels(std::vector<std::int32_t>(r, 7));
  require(plugin().clear(stream(), x.data(), rows * classes * 4));
  device::CrossEntropy args;
  args.args = {rows, classes, x.data(), labels.data(), DType::i32, 0, false, 0};
  args.loss = loss.data(), args.lse = lse.data(), args.counted = counted.data(), args.dloss = dloss.data(),
  args.dx = dx.data();
  return against_copy(8.0 * static_cast<double>(n),
                      seconds([&] { run(plugin().launch.cross_entropy, args, nullptr); }));
}

Row bias_gelu() {
  const Index rows = sized(16384, 8), cols = 4096;
  const auto n = static_cast<std::size_t>(rows * cols);
  const DeviceArray<float> x(n), bias(4096), y(n);
  for (const DeviceArray<float>* array : {&x, &bias})
    require(plugin().clear(stream(), array->data(), static_cast<Index>(array->size()) * 4));
  const EwInstruction code[] = {{EwOp::load, 0, 0, 0, 0, 0},
                                {EwOp::load, 1, 0, 0, 0, 1},
                                {EwOp::add, 0, 0, 1},
                                {EwOp::gelu_tanh, 0, 0},
                                {EwOp::store, 0, 0, 0, 0, 2}};
  const DType types[] = {DType::f32, DType::f32, DType::f32};
  device::Elementwise args;
  args.args.program = {DType::f32, 5, code, 3, types};
  args.args.rank = 2, args.args.shape[0] = rows, args.args.shape[1] = cols;
  const Index strides[3][2] = {{cols, 1}, {0, 1}, {cols, 1}};
  float* data[] = {x.data(), bias.data(), y.data()};
  for (int i = 0; i < 3; ++i) {
    args.args.operands[i].data = data[i];
    std::copy(strides[i], strides[i] + 2, args.args.operands[i].strides);
  }
  return against_copy(8.0 * static_cast<double>(n), seconds([&] { run(plugin().launch.elementwise, args, nullptr); }));
}

template <class T>
Row product(Index n, DType dtype, device::Precision precision) {
  const auto size = static_cast<std::size_t>(n * n);
  const DeviceArray<T> a(size), b(size);
  const DeviceArray<float> c(size);
  require(plugin().clear(stream(), a.data(), n * n * static_cast<Index>(sizeof(T))));
  require(plugin().clear(stream(), b.data(), n * n * static_cast<Index>(sizeof(T))));
  device::Matmul args;
  args.M = args.N = args.K = n;
  args.a = {a.data(), dtype, n, 1, {0, 0}};
  args.b = {b.data(), dtype, n, 1, {0, 0}};
  args.c = c.data(), args.ldc = n, args.precision = precision;
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(plugin().launch.matmul.workspace(args)));
  const double time = seconds([&] { run(plugin().launch.matmul, args, workspace.data()); });
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  return {flops / time / 1e12, "TFLOP/s", "of zeros: the clock is the highest"};
}
Row gemm_bf16() { return product<std::uint16_t>(sized(8192, 128), DType::bf16, device::Precision::exact); }
Row gemm_tf32() { return product<float>(sized(8192, 128), DType::f32, device::Precision::tf32); }
Row gemm_tf32x3() { return product<float>(sized(4096, 128), DType::f32, device::Precision::tf32x3); }
Row gemm_f32() { return product<float>(sized(4096, 128), DType::f32, device::Precision::exact); }

Row attention() {
  const Index batch = sized(4, 1), heads = sized(16, 1), tokens = sized(2048, 64), depth = 64;
  const auto n = static_cast<std::size_t>(batch * heads * tokens * depth);
  const DeviceArray<float> q(n), k(n), v(n), y(n), lse(static_cast<std::size_t>(batch * heads * tokens));
  for (const DeviceArray<float>* array : {&q, &k, &v})
    require(plugin().clear(stream(), array->data(), static_cast<Index>(n) * 4));
  device::Attention args;
  const auto view = [&](float* data) {
    return AttentionView<const float>{data, heads * tokens * depth, tokens * depth, depth};
  };
  args.args = {
      {batch, heads, heads, tokens, tokens, depth, 0.125f, true, 0}, view(q.data()), view(k.data()), view(v.data()), {},
      {y.data(), heads * tokens * depth, tokens * depth, depth},     lse.data()};
  const double time = seconds([&] { run(plugin().launch.attention, args, nullptr); });
  const double flops = 2.0 * static_cast<double>(batch * heads * tokens * tokens * depth);
  return {flops / time / 1e12, "TFLOP/s", "causal, f32, without tensor cores"};
}

// Twenty small launches, captured once: what is between them.
Row launch_gaps() {
  const DeviceArray<float> x(std::vector<float>(1024, 1)), y(1024);
  const device::Copy args{{y.data(), x.data(), 1, 4, {1024}, {1}, {1}}};
  require(plugin().capture_begin(stream()));
  for (int i = 0; i < 20; ++i) require(plugin().launch.copy.run(stream(), args, nullptr));
  device::StepGraph* graph = nullptr;
  require(plugin().capture_end(stream(), &graph));
  const double captured = seconds([&] { require(plugin().graph_launch(graph, stream())); });
  const double eager = seconds([&] {
    for (int i = 0; i < 20; ++i) run(plugin().launch.copy, args, nullptr);
  });
  plugin().graph_destroy(graph);
  char text[96];
  std::snprintf(text, sizeof text, "a launch, of 20 captured; uncaptured %.2f us", eager / 20 * 1e6);
  return {captured / 20 * 1e6, "us", text};
}

}  // namespace

const std::vector<Measure>& measures() {
  static const std::vector<Measure> all = [] {
    std::vector<Measure> rows = {{"copy", copy},
                                 {"adamw 124M", adamw_124m},
                                 {"adamw 1B", adamw_1b},
                                 {"adamw 124M with norm and clip", adamw_clipped},
                                 {"adamw 2,000 tensors", adamw_2000},
                                 {"layer norm 16384 x 4096", layer_norm},
                                 {"softmax 16384 x 4096", softmax},
                                 {"cross-entropy with gradient 8192 x 50304", cross_entropy},
                                 {"bias and gelu 16384 x 4096", bias_gelu},
                                 {"gemm bf16 8192", gemm_bf16},
                                 {"gemm tf32 8192", gemm_tf32},
                                 {"gemm tf32x3 4096", gemm_tf32x3},
                                 {"gemm f32 4096", gemm_f32},
                                 {"attention 4 x 16 x 2048 x 64", attention},
                                 {"launch", launch_gaps}};
    add_compressed(rows);
    add_sparse(rows);
    return rows;
  }();
  return all;
}

}  // namespace athanor::check

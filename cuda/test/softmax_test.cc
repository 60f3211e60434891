// Softmax, log-softmax, cross-entropy and their gradients on the emulated device, beside the formulas in double.
#include <cmath>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Rows {
  Index outer, cols, inner;
};

std::size_t at(const Rows& r, Index o, Index c, Index i) {
  return static_cast<std::size_t>((o * r.cols + c) * r.inner + i);
}

std::vector<double> softmax(const Rows& r, const std::vector<float>& x, bool log) {
  std::vector<double> y(x.size());
  for (Index o = 0; o < r.outer; ++o)
    for (Index i = 0; i < r.inner; ++i) {
      double max = -INFINITY, sum = 0;
      bool bad = false;
      for (Index c = 0; c < r.cols; ++c) {
        const double v = static_cast<double>(x[at(r, o, c, i)]);
        bad = bad || std::isnan(v) || v == INFINITY;
        max = std::fmax(max, v);
      }
      bad = bad || max == -INFINITY;
      for (Index c = 0; c < r.cols; ++c) sum += std::exp(static_cast<double>(x[at(r, o, c, i)]) - max);
      for (Index c = 0; c < r.cols; ++c) {
        const double shifted = static_cast<double>(x[at(r, o, c, i)]) - max;
        y[at(r, o, c, i)] = bad ? NAN : log ? shifted - std::log(sum) : std::exp(shifted) / sum;
      }
    }
  return y;
}

}  // namespace

TEST(softmax_forward_and_backward) {
  for (const Rows& r : {Rows{5, 10, 1}, Rows{2, 700, 1}, Rows{3, 7, 5}, Rows{4, 1, 1}, Rows{0, 4, 1}}) {
    std::vector<float> x = numbers(static_cast<std::size_t>(r.outer * r.cols * r.inner), 7, 20);
    if (r.outer == 5) x[3] = NAN, x[12] = INFINITY, x[25] = -INFINITY;
    const std::vector<float> dy = numbers(x.size(), 8);
    for (const bool log : {false, true}) {
      const std::vector<double> wanted = softmax(r, x, log);
      in_all_orders([&](const char* order) {
        const DeviceArray<float> dx(x), y(x.size()), ddy(dy), grad(x.size());
        device::Softmax args{{log, r.outer * r.inner, r.cols, dx.data(), y.data()}, r.inner};
        CHECK(launch(plugin().launch.softmax, args, "softmax"));
        const std::vector<float> got = y.values();
        // Logits differ by up to 40, which f32 holds to 40 * 2^-24.
        agree(got, wanted, 3e-6, log ? 2e-6 : 1e-38, order);
        device::SoftmaxGrad back{{log, r.outer * r.inner, r.cols, y.data(), ddy.data(), grad.data()}, r.inner};
        CHECK(launch(plugin().launch.softmax_grad, back, "softmax_grad"));
        std::vector<double> gradient(x.size());
        for (Index o = 0; o < r.outer; ++o)
          for (Index i = 0; i < r.inner; ++i) {
            double sum = 0;
            for (Index c = 0; c < r.cols; ++c) {
              const std::size_t k = at(r, o, c, i);
              sum += static_cast<double>(dy[k]) * (log ? 1 : static_cast<double>(got[k]));
            }
            for (Index c = 0; c < r.cols; ++c) {
              const std::size_t k = at(r, o, c, i);
              const double yk = static_cast<double>(got[k]), d = static_cast<double>(dy[k]);
              gradient[k] = log ? d - std::exp(yk) * sum : yk * (d - sum);
            }
          }
        agree(grad.values(), gradient, 1e-6, 1e-6, std::string("gradient, ") + order);
      });
    }
  }
}

TEST(cross_entropy_and_its_gradient_in_one_read) {
  constexpr Index kRows = 7, kClasses = 13;
  std::vector<float> x = numbers(kRows * kClasses, 3, 5);
  for (Index c = 0; c < kClasses; ++c)
    x[static_cast<std::size_t>(2 * kClasses + c)] += 4000.0f;  // an lse that f32 hardly tells from its row
  const std::vector<std::int32_t> labels = {0, 12, 5, -100, 3, 7, 1};
  const std::vector<float> dloss = numbers(kRows, 9);
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    std::vector<double> loss, gradient;
    const std::vector<double> log_p = softmax({kRows, kClasses, 1}, x, true);
    for (Index r = 0; r < kRows; ++r) {
      const std::int32_t label = labels[static_cast<std::size_t>(r)];
      double sum = 0;
      for (Index c = 0; c < kClasses; ++c) {
        const double target = (c == label ? 1 - smoothing : 0) + smoothing / kClasses,
                     lp = log_p[static_cast<std::size_t>(r * kClasses + c)];
        sum -= target * lp;
        gradient.push_back(
            label < 0 ? 0 : static_cast<double>(dloss[static_cast<std::size_t>(r)]) * (std::exp(lp) - target));
      }
      loss.push_back(label < 0 ? 0 : sum);
    }
    in_all_orders([&](const char* order) {
      const DeviceArray<float> dx(x), dl(dloss), losses(kRows), lse(kRows), counted(1), grad(x.size()), later(x.size());
      const DeviceArray<std::int32_t> dlabels(labels);
      device::CrossEntropy args;
      args.args = {kRows, kClasses, dx.data(), dlabels.data(), DType::i32, static_cast<float>(smoothing), true, -100};
      args.loss = losses.data(), args.lse = lse.data(), args.counted = counted.data();
      args.dloss = dl.data(), args.dloss_stride = 1, args.dx = grad.data();
      CHECK(launch(plugin().launch.cross_entropy, args, "cross_entropy"));
      agree(losses.values(), loss, 1e-6, 1e-6, std::string("loss, ") + order);
      agree(grad.values(), gradient, 1e-6, 1e-6, std::string("gradient, ") + order);
      CHECK(counted.values()[0] == 6);
      device::CrossEntropyGrad back{args.args, lse.data(), dl.data(), 1, later.data()};
      CHECK(launch(plugin().launch.cross_entropy_grad, back, "cross_entropy_grad"));
      agree(later.values(), gradient, 1e-6, 1e-6, std::string("gradient alone, ") + order);
    });
  }
}

TEST(bad_labels_claim_the_record) {
  const std::vector<std::uint8_t> labels = {3, 9, 1, 200, 2};
  in_all_orders([&](const char*) {
    const DeviceArray<float> x(numbers(20, 1)), losses(5), lse(5), counted(1);
    const DeviceArray<std::uint8_t> dlabels(labels);
    const DeviceArray<device::RunRecord> run(1);
    CHECK(launch(plugin().launch.begin, device::Begin{run.data(), 7, 3, 0}, "begin"));
    device::CrossEntropy args;
    args.args = {5, 4, x.data(), dlabels.data(), DType::u8, 0, false, -100};
    args.loss = losses.data(), args.lse = lse.data(), args.counted = counted.data();
    args.check = {run.data(), 42};
    CHECK(launch(plugin().launch.cross_entropy, args, "cross_entropy"));
    const device::RunRecord record = run.values()[0];
    CHECK(code_of(record) == device::StatusCode::label);
    CHECK_EQ(node_of(record), 42);
    CHECK_EQ(position_of(record), 1);
    CHECK_EQ(value_bits_of(record), 9u);
    CHECK_EQ(record.count, 2u);
    CHECK(counted.values()[0] == 3);
    CHECK(std::isnan(losses.values()[1]));
    // Effects do nothing any more.
    const DeviceArray<float> to(std::vector<float>{1, 2}), from(std::vector<float>{3, 4});
    CHECK(launch(plugin().launch.assign, device::Assign{to.data(), from.data(), 8, {run.data(), 43}}, "assign"));
    CHECK(to.values()[0] == 1 && to.values()[1] == 2);
  });
}

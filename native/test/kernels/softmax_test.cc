// Softmax, log-softmax and cross-entropy against their definitions in float64.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

using namespace athanor;
using namespace athanor::test;

namespace {

std::vector<float> normal(Index n, unsigned seed, float scale) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> draw(0, scale);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = draw(engine);
  return x;
}

double lse_of(const float* x, Index n) {
  double m = -INFINITY, sum = 0;
  for (Index i = 0; i < n; ++i) m = std::fmax(m, static_cast<double>(x[i]));
  for (Index i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[i]) - m);
  return m + std::log(sum);
}

const std::vector<std::pair<Index, Index>> kSizes = {{0, 5},  {1, 1},     {3, 2},    {128, 10},
                                                     {5, 17}, {2, 50257}, {400, 129}};

}  // namespace

TEST(softmax_forward_and_backward) {
  for_each_isa([&](const KernelTable& table) {
    for (const auto& [rows, cols] : kSizes)
      for (bool log : {false, true}) {
        const std::vector<float> x = normal(rows * cols, 1, 5), dy = normal(rows * cols, 2, 1);
        std::vector<float> y(x.size()), dx(x.size()), again(x.size());
        Threads two(2), seven(7);
        table.softmax.forward({log, rows, cols, x.data(), y.data()}, two);
        table.softmax.forward({log, rows, cols, x.data(), again.data()}, seven);
        CHECK(y == again);
        table.softmax.backward({log, rows, cols, y.data(), dy.data(), dx.data()}, two);
        for (Index r = 0; r < rows; ++r) {
          const double lse = lse_of(x.data() + r * cols, cols);
          double dot = 0, magnitude = 0;
          std::vector<double> exact(static_cast<std::size_t>(cols));
          for (Index c = 0; c < cols; ++c) {
            const double v = static_cast<double>(x[r * cols + c]) - lse, g = static_cast<double>(dy[r * cols + c]);
            exact[c] = log ? v : std::exp(v);
            // x - max is rounded by up to 2^-24 |x - max|, which the exponential turns into a relative error.
            const double relative = 5e-7 + 0x1p-24 * std::fabs(v);
            CHECK_NEAR(y[r * cols + c], exact[c],
                       log ? 4e-7 * (1 + std::fabs(lse) + std::fabs(v)) : relative * exact[c] + 1e-37);
            dot += log ? g : g * exact[c];
            magnitude += std::fabs(log ? g : g * exact[c]);
          }
          for (Index c = 0; c < cols; ++c) {
            const double g = static_cast<double>(dy[r * cols + c]);
            const double p = log ? std::exp(exact[c]) : exact[c];
            const double want = log ? g - p * dot : p * (g - dot);
            CHECK_NEAR(dx[r * cols + c], want,
                       4e-6 * (p * (magnitude + std::fabs(g)) + (log ? std::fabs(g) : 0)) + 1e-37);
          }
        }
      }
  });
}

TEST(softmax_edges) {
  for_each_isa([&](const KernelTable& table) {
    Sequential sequential;
    const std::vector<float> x = {1000,   1000, -1000, -INFINITY, /**/ -INFINITY, 3, 3, 3,
                                  /**/ 1, NAN,  2,     3,         /**/ INFINITY,  0, 0, 0};
    std::vector<float> y(16);
    table.softmax.forward({false, 4, 4, x.data(), y.data()}, sequential);
    CHECK_EQ(y[0], 0.5f);
    CHECK_EQ(y[2], 0.0f);
    CHECK_EQ(y[3], 0.0f);
    CHECK_EQ(y[4], 0.0f);
    CHECK_NEAR(y[5], 1.0 / 3, 1e-7);
    for (int i = 8; i < 16; ++i) CHECK(std::isnan(y[i]));
  });
}

TEST(cross_entropy_forward_and_backward) {
  for_each_isa([&](const KernelTable& table) {
    for (const auto& [rows, classes] : kSizes)
      for (float smoothing : {0.0f, 0.1f}) {
        std::vector<float> x = normal(rows * classes, 3, 4), loss(rows), lse(rows), dx(x.size(), 7),
                           dloss = normal(rows, 4, 1);
        std::vector<std::int32_t> labels(rows);
        for (Index r = 0; r < rows; ++r) labels[r] = static_cast<std::int32_t>(r * 7919 % classes);
        if (rows > 2) labels[2] = -100;
        CrossEntropyArgs args{rows, classes, x.data(), labels.data(), DType::i32, smoothing, true, -100};
        Threads two(2);
        const CrossEntropyCounts counts = table.softmax.cross_entropy(args, loss.data(), lse.data(), two);
        CHECK_EQ(counts.counted, rows > 2 ? rows - 1 : rows);
        CHECK_EQ(counts.bad, Index{0});
        CHECK_EQ(counts.first_bad, rows);
        table.softmax.cross_entropy_backward(args, lse.data(), dloss.data(), 1, dx.data(), two);
        for (Index r = 0; r < rows; ++r) {
          const double exact_lse = lse_of(x.data() + r * classes, classes), s = static_cast<double>(smoothing);
          double want = 0;
          for (Index c = 0; c < classes; ++c) {
            const double target = (c == labels[r] ? 1 - s : 0) + s / static_cast<double>(classes),
                         v = static_cast<double>(x[r * classes + c]);
            want += target * (exact_lse - v);
            const double p = std::exp(v - exact_lse), g = static_cast<double>(dloss[r]);
            CHECK_NEAR(dx[r * classes + c], labels[r] < 0 ? 0 : g * (p - target), 4e-6 * std::fabs(g) * (p + target));
          }
          CHECK_NEAR(loss[r], labels[r] < 0 ? 0 : want, 1e-6 * (1 + std::fabs(want)));
          CHECK_NEAR(lse[r], exact_lse, 4e-7 * (1 + std::fabs(exact_lse)));
        }
      }
  });
}

TEST(cross_entropy_reports_bad_labels) {
  for_each_isa([&](const KernelTable& table) {
    const Index rows = 20000, classes = 3;
    const std::vector<float> x(rows * classes, 0.5f);
    std::vector<std::uint8_t> labels(rows, 1);
    labels[9000] = 3;
    labels[19999] = 255;
    std::vector<float> loss(rows), lse(rows), dx(rows * classes, 9);
    const CrossEntropyArgs args{rows, classes, x.data(), labels.data(), DType::u8, 0, false, 0};
    Threads threads(4);
    const CrossEntropyCounts counts = table.softmax.cross_entropy(args, loss.data(), lse.data(), threads);
    CHECK_EQ(counts.bad, Index{2});
    CHECK_EQ(counts.first_bad, Index{9000});
    CHECK_EQ(counts.counted, rows - 2);
    CHECK(std::isnan(loss[9000]));
    CHECK_NEAR(loss[0], std::log(3.0), 1e-6);
    const float one = 1;
    table.softmax.cross_entropy_backward(args, lse.data(), &one, 0, dx.data(), threads);
    CHECK_EQ(dx[27000], 0.0f);
    CHECK_NEAR(dx[1], 1.0 / 3 - 1, 1e-6);
  });
}

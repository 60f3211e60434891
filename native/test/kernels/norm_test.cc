// Layer, RMS and batch norm, forward and backward, against float64 loops; backward also against finite differences of the reference.
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

std::vector<float> normal(Index n, unsigned seed, float scale, float offset) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> draw(offset, scale);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = draw(engine);
  return x;
}

// One group that is normalised together: values and gradients gathered from wherever they lie.
struct Group {
  std::vector<double> h, dx;
  double mean = 0, var = 0, rstd = 0, dgamma = 0, dbeta = 0;
};

Group normalise(const std::vector<double>& x, const std::vector<double>& g, bool rms, double eps) {
  Group out;
  const double n = static_cast<double>(x.size());
  for (double v : x) out.mean += rms ? 0 : v / n;
  for (double v : x) out.var += (v - out.mean) * (v - out.mean) / n;
  out.rstd = 1 / std::sqrt(out.var + eps);
  double mean_g = 0, mean_gh = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.h.push_back((x[i] - out.mean) * out.rstd);
    mean_g += rms ? 0 : g[i] / n;
    mean_gh += g[i] * out.h[i] / n;
  }
  for (std::size_t i = 0; i < x.size(); ++i) out.dx.push_back(out.rstd * (g[i] - mean_g - out.h[i] * mean_gh));
  return out;
}

}  // namespace

TEST(norm_rows) {
  for_each_isa([&](const KernelTable& table) {
    for (const auto& [rows, cols] :
         std::vector<std::pair<Index, Index>>{{0, 4}, {1, 1}, {3, 5}, {100, 64}, {7, 1003}, {9000, 6}, {2, 20000}})
      for (NormKind kind : {NormKind::layer, NormKind::rms})
        for (bool affine : {true, false}) {
          const bool rms = kind == NormKind::rms;
          const std::vector<float> x = normal(rows * cols, 1, 2, 3), dy = normal(rows * cols, 2, 1, 0),
                                   gamma = normal(cols, 3, 0.3f, 1), beta = normal(cols, 4, 1, 0);
          std::vector<float> y(x.size()), mean(rows), rstd(rows), dx(x.size()), dgamma(cols), dbeta(cols);
          Threads two(2);
          table.norm.forward({kind, rows, cols, 1e-5f, x.data(), affine ? gamma.data() : nullptr,
                              affine && !rms ? beta.data() : nullptr, y.data(), mean.data(), rstd.data()},
                             two);
          NormBackwardArgs args{kind,        rows,        cols,      x.data(),  affine ? gamma.data() : nullptr,
                                mean.data(), rstd.data(), dy.data(), dx.data(), dgamma.data(),
                                dbeta.data()};
          std::vector<float> workspace(static_cast<std::size_t>(table.norm.backward_workspace(args)) / 4 + 1, -5.0f);
          table.norm.backward(args, two, workspace.data());
          CHECK_EQ(workspace.back(), -5.0f);
          std::vector<float> dx2(x.size()), dgamma2(cols), dbeta2(cols);
          args.dx = dx2.data(), args.dgamma = dgamma2.data(), args.dbeta = dbeta2.data();
          Threads seven(7);
          table.norm.backward(args, seven, workspace.data());
          CHECK(dx == dx2 && dgamma == dgamma2 && dbeta == dbeta2);
          std::vector<double> want_gamma(cols), want_beta(cols), magnitude(cols);
          for (Index r = 0; r < rows; ++r) {
            std::vector<double> v, g;
            for (Index c = 0; c < cols; ++c) {
              v.push_back(static_cast<double>(x[r * cols + c]));
              g.push_back(static_cast<double>(dy[r * cols + c]) * (affine ? static_cast<double>(gamma[c]) : 1));
            }
            const Group want = normalise(v, g, rms, 1e-5);
            CHECK_NEAR(rstd[r], want.rstd, 1e-4 * want.rstd);
            if (cols == 1 && !rms) continue;  // var is 0: rstd multiplies rounding
            for (Index c = 0; c < cols; ++c) {
              const double scale = affine ? static_cast<double>(gamma[c]) : 1,
                           shift = affine && !rms ? static_cast<double>(beta[c]) : 0;
              CHECK_NEAR(y[r * cols + c], want.h[c] * scale + shift, 3e-5 * (1 + std::fabs(want.h[c])));
              CHECK_NEAR(dx[r * cols + c], want.dx[c], 1e-4 * want.rstd * (1 + std::fabs(g[c]) + std::fabs(want.h[c])));
              want_gamma[c] += static_cast<double>(dy[r * cols + c]) * want.h[c];
              want_beta[c] += static_cast<double>(dy[r * cols + c]);
              magnitude[c] += std::fabs(static_cast<double>(dy[r * cols + c])) * (1 + std::fabs(want.h[c]));
            }
          }
          for (Index c = 0; c < cols && cols > 1; ++c) {
            CHECK_NEAR(dgamma[c], want_gamma[c], 2e-5 * magnitude[c]);
            CHECK_NEAR(dbeta[c], want_beta[c], 2e-6 * magnitude[c]);
          }
        }
  });
}

TEST(norm_batch) {
  struct Size {
    Index n, c, l;
  };
  for_each_isa([&](const KernelTable& table) {
    for (const Size& s :
         {Size{4, 3, 35}, Size{64, 5, 1}, Size{128, 130, 1}, Size{2, 2, 5000}, Size{3, 0, 4}, Size{1, 4, 9}})
      for (bool affine : {true, false}) {
        const Index size = s.n * s.c * s.l;
        const std::vector<float> x = normal(size, 1, 2, 3), dy = normal(size, 2, 1, 0), gamma = normal(s.c, 3, 0.3f, 1),
                                 beta = normal(s.c, 4, 1, 0);
        std::vector<float> y(x.size()), mean(s.c), var(s.c), rstd(s.c), dx(x.size()), dgamma(s.c), dbeta(s.c),
            dx2(x.size());
        const float* gammas = affine ? gamma.data() : nullptr;
        Threads two(2), seven(7);
        table.norm.batch_forward({s.n, s.c, s.l, 1e-5f, x.data(), gammas, affine ? beta.data() : nullptr, y.data(),
                                  mean.data(), var.data(), rstd.data()},
                                 two, nullptr);
        table.norm.batch_backward({s.n, s.c, s.l, x.data(), gammas, mean.data(), rstd.data(), dy.data(), dx.data(),
                                   dgamma.data(), dbeta.data()},
                                  two, nullptr);
        table.norm.batch_backward(
            {s.n, s.c, s.l, x.data(), gammas, mean.data(), rstd.data(), dy.data(), dx2.data(), nullptr, nullptr}, seven,
            nullptr);
        CHECK(dx == dx2);
        for (Index c = 0; c < s.c; ++c) {
          std::vector<double> v, g;
          const double scale = affine ? static_cast<double>(gamma[c]) : 1,
                       shift = affine ? static_cast<double>(beta[c]) : 0;
          for (Index n = 0; n < s.n; ++n)
            for (Index i = 0; i < s.l; ++i) {
              v.push_back(static_cast<double>(x[(n * s.c + c) * s.l + i]));
              g.push_back(static_cast<double>(dy[(n * s.c + c) * s.l + i]) * scale);
            }
          const Group want = normalise(v, g, false, 1e-5);
          CHECK_NEAR(mean[c], want.mean, 1e-6 * (1 + std::fabs(want.mean)));
          CHECK_NEAR(var[c], want.var, 1e-5 * want.var);
          double sum_gamma = 0, sum_beta = 0;
          for (std::size_t k = 0; k < v.size(); ++k) {
            const std::size_t at = (k / s.l * s.c + c) * s.l + k % s.l;
            CHECK_NEAR(y[at], want.h[k] * scale + shift, 1e-5 * (1 + std::fabs(want.h[k])));
            CHECK_NEAR(dx[at], want.dx[k], 1e-5 * want.rstd * (1 + std::fabs(g[k]) + std::fabs(want.h[k])));
            sum_gamma += static_cast<double>(dy[at]) * want.h[k];
            sum_beta += static_cast<double>(dy[at]);
          }
          const double bound = 4e-6 * static_cast<double>(v.size());
          CHECK_NEAR(dgamma[c], sum_gamma, bound);
          CHECK_NEAR(dbeta[c], sum_beta, bound);
        }
      }
  });
}

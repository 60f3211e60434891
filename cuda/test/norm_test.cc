// Layer, RMS and batch norm with their gradients on the emulated device, beside the formulas in double.
#include <cmath>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

TEST(layer_and_rms_norm) {
  struct Size {
    Index rows, cols;
  };
  for (const Size& s : {Size{5, 7}, Size{70, 300}, Size{1, 1}, Size{0, 4}}) {
    const auto n = static_cast<std::size_t>(s.rows * s.cols);
    const std::vector<float> x = numbers(n, 1, 3), dy = numbers(n, 2),
                             gamma = numbers(static_cast<std::size_t>(s.cols), 3),
                             beta = numbers(static_cast<std::size_t>(s.cols), 4);
    for (const NormKind kind : {NormKind::layer, NormKind::rms}) {
      std::vector<double> y(n), dx(n), dgamma(gamma.size()), dbeta(gamma.size());
      for (Index r = 0; r < s.rows; ++r) {
        const std::size_t base = static_cast<std::size_t>(r * s.cols);
        double mean = 0, var = 0, sum = 0, along = 0;
        for (std::size_t c = 0; c < gamma.size(); ++c)
          mean += kind == NormKind::layer ? static_cast<double>(x[base + c]) / static_cast<double>(s.cols) : 0;
        for (std::size_t c = 0; c < gamma.size(); ++c)
          var += std::pow(static_cast<double>(x[base + c]) - mean, 2) / static_cast<double>(s.cols);
        const double rstd = 1 / std::sqrt(var + static_cast<double>(1e-5f));
        for (std::size_t c = 0; c < gamma.size(); ++c) {
          const double hat = (static_cast<double>(x[base + c]) - mean) * rstd,
                       g = static_cast<double>(dy[base + c]) * static_cast<double>(gamma[c]);
          y[base + c] =
              hat * static_cast<double>(gamma[c]) + (kind == NormKind::layer ? static_cast<double>(beta[c]) : 0);
          sum += g / static_cast<double>(s.cols);
          along += g * hat / static_cast<double>(s.cols);
          dgamma[c] += static_cast<double>(dy[base + c]) * hat;
          dbeta[c] += static_cast<double>(dy[base + c]);
        }
        for (std::size_t c = 0; c < gamma.size(); ++c) {
          const double hat = (static_cast<double>(x[base + c]) - mean) * rstd,
                       g = static_cast<double>(dy[base + c]) * static_cast<double>(gamma[c]);
          dx[base + c] = rstd * (g - (kind == NormKind::layer ? sum : 0) - hat * along);
        }
      }
      in_all_orders([&](const char* order) {
        const auto rows = static_cast<std::size_t>(s.rows);
        const DeviceArray<float> gx(x), gdy(dy), gg(gamma), gb(beta), gy(n), gmean(rows), grstd(rows), gdx(n),
            gdg(gamma.size()), gdb(gamma.size());
        const bool layer = kind == NormKind::layer;
        device::Norm args{{kind, s.rows, s.cols, 1e-5f, gx.data(), gg.data(), layer ? gb.data() : nullptr, gy.data(),
                           layer ? gmean.data() : nullptr, grstd.data()}};
        CHECK(launch(plugin().launch.norm, args, "norm"));
        agree(gy.values(), y, 1e-6, 1e-6, order);
        device::NormGrad back{{kind, s.rows, s.cols, gx.data(), gg.data(), gmean.data(), grstd.data(), gdy.data(),
                               gdx.data(), gdg.data(), layer ? gdb.data() : nullptr}};
        CHECK(launch(plugin().launch.norm_grad, back, "norm_grad"));
        // One column has rstd of 1 / sqrt(eps) = 316 before its parts cancel.
        const double bound = s.cols == 1 ? 1e-3 : 5e-6;
        agree(gdx.values(), dx, 1e-5, bound, std::string("dx, ") + order);
        agree(gdg.values(), dgamma, 1e-5, 1e-5, std::string("dgamma, ") + order);
        if (layer) agree(gdb.values(), dbeta, 1e-6, 1e-6, std::string("dbeta, ") + order);
      });
    }
  }
}

TEST(batch_norm) {
  struct Size {
    Index n, c, l;
  };
  for (const Size& s : {Size{4, 3, 1}, Size{3, 5, 49}, Size{2, 1, 300}}) {
    const auto count = static_cast<std::size_t>(s.n * s.c * s.l), channels = static_cast<std::size_t>(s.c);
    const std::vector<float> x = numbers(count, 1, 2), dy = numbers(count, 2), gamma = numbers(channels, 3),
                             beta = numbers(channels, 4);
    std::vector<double> y(count), dx(count), means(channels), vars(channels), dgamma(channels), dbeta(channels);
    const double total = static_cast<double>(s.n * s.l);
    const auto at = [&](Index n, std::size_t c, Index l) {
      return static_cast<std::size_t>((n * s.c + static_cast<Index>(c)) * s.l + l);
    };
    for (std::size_t c = 0; c < channels; ++c) {
      const auto each = [&](auto f) {
        for (Index n = 0; n < s.n; ++n)
          for (Index l = 0; l < s.l; ++l) f(at(n, c, l));
      };
      each([&](std::size_t i) { means[c] += static_cast<double>(x[i]) / total; });
      each([&](std::size_t i) { vars[c] += std::pow(static_cast<double>(x[i]) - means[c], 2) / total; });
      const double rstd = 1 / std::sqrt(vars[c] + static_cast<double>(1e-5f)), g = static_cast<double>(gamma[c]);
      each([&](std::size_t i) {
        const double hat = (static_cast<double>(x[i]) - means[c]) * rstd;
        y[i] = hat * g + static_cast<double>(beta[c]);
        dbeta[c] += static_cast<double>(dy[i]);
        dgamma[c] += static_cast<double>(dy[i]) * hat;
      });
      each([&](std::size_t i) {
        const double hat = (static_cast<double>(x[i]) - means[c]) * rstd;
        dx[i] = rstd * g * (static_cast<double>(dy[i]) - dbeta[c] / total - hat * dgamma[c] / total);
      });
    }
    in_all_orders([&](const char* order) {
      const DeviceArray<float> gx(x), gdy(dy), gg(gamma), gb(beta), gy(count), mean(channels), var(channels),
          rstd(channels), gdx(count), gdg(channels), gdb(channels);
      CHECK(launch(plugin().launch.batch_norm,
                   device::BatchNorm{{s.n, s.c, s.l, 1e-5f, gx.data(), gg.data(), gb.data(), gy.data(), mean.data(),
                                      var.data(), rstd.data()}},
                   "batch_norm"));
      agree(gy.values(), y, 1e-6, 1e-6, order);
      agree(mean.values(), means, 1e-6, 1e-7, order);
      agree(var.values(), vars, 1e-6, 1e-7, order);
      CHECK(launch(plugin().launch.batch_norm_grad,
                   device::BatchNormGrad{{s.n, s.c, s.l, gx.data(), gg.data(), mean.data(), rstd.data(), gdy.data(),
                                          gdx.data(), gdg.data(), gdb.data()}},
                   "batch_norm_grad"));
      agree(gdx.values(), dx, 1e-5, 5e-6, std::string("dx, ") + order);
      agree(gdg.values(), dgamma, 1e-5, 1e-5, std::string("dgamma, ") + order);
      agree(gdb.values(), dbeta, 1e-6, 1e-6, std::string("dbeta, ") + order);
    });
  }
}

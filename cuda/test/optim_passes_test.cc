// Update rules of several passes on the emulated device, beside their formulas in double over several steps: LAMB (You et al. 2020), LARS (You et
// al. 2017), Adafactor (Shazeer & Stern 2018, as torch.optim.Adafactor has it), Prodigy (Mishchenko & Defazio 2024). Tensors of uneven sizes,
// matrices among them, with and without masks; the same bits in all orders; a tensor that is not finite stays as it is and is named.
#include <cmath>
#include <cstring>
#include <functional>

#include "cuda/test/plugin.h"
#include "update_rules/rule.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Shape {
  Index batch, rows, columns;  // no rows: a vector
  Index count() const { return rows > 0 ? batch * rows * columns : columns; }
};
const std::vector<Shape> kShapes = {{1, 0, 1}, {2, 10, 15}, {1, 0, 0}, {1, 64, 65}, {1, 0, 5000}, {1, 3, 1}};
constexpr int kSteps = 5;

// A tensor in double, with what a rule keeps of it.
struct Reference {
  Shape shape;
  std::vector<double> p, g, m, v, s, start, row, column;
  std::vector<bool> kept;

  Reference(Shape extents, const std::vector<float>& param, const std::vector<float>& grad, bool masked)
      : shape(extents), p(param.begin(), param.end()), g(grad.begin(), grad.end()) {
    m = v = s = std::vector<double>(p.size());
    start = p;
    row.resize(static_cast<std::size_t>(shape.batch * shape.rows));
    column.resize(static_cast<std::size_t>(shape.rows > 0 ? shape.batch * shape.columns : 0));
    for (std::size_t i = 0; i < p.size(); ++i) {
      kept.push_back(!masked || i % 3 != 0);
      if (!kept[i]) g[i] = 0;
    }
  }
  // Of what no mask hides.
  template <class F>
  double sum(F f) const {
    double total = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
      if (kept[i]) total += f(i);
    return total;
  }
  template <class F>
  void move(F f) {
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = kept[i] ? f(i) : 0;
  }
  double norm(const std::vector<double>& x) const {
    return std::sqrt(sum([&](std::size_t i) { return x[i] * x[i]; }));
  }
};

using Step = std::function<void(std::vector<Reference>& tensors, int step)>;

struct Model {
  std::vector<std::vector<float>> params, grads;
  std::vector<std::unique_ptr<DeviceArray<float>>> memory;
  std::vector<float*> d_params;
  std::vector<std::unique_ptr<DeviceArray<std::uint8_t>>> masks;
  std::unique_ptr<DeviceArray<device::OptimTensor>> tensors;
  std::unique_ptr<DeviceArray<device::OptimChunk>> chunks;
  DeviceArray<device::OptimCounter> counter{std::vector<device::OptimCounter>(1)};
  DeviceArray<double> report{4};
  DeviceArray<double> hyper;
  device::OptimStep step;

  template <class Hyper>
  Model(optim::RuleId rule, const Hyper& values, bool masked)
      : hyper(std::vector<double>(reinterpret_cast<const double*>(&values),
                                  reinterpret_cast<const double*>(&values + 1))) {
    std::vector<device::OptimTensor> table;
    std::vector<Index> sizes;
    for (std::size_t t = 0; t < kShapes.size(); ++t) {
      const Shape& shape = kShapes[t];
      const auto n = static_cast<std::size_t>(shape.count());
      sizes.push_back(shape.count());
      params.push_back(numbers(n, t + 1));
      grads.push_back(numbers(n, t + 100));
      device::OptimTensor tensor;
      tensor.param = d_params.emplace_back(array(params.back()));
      tensor.grad = array(grads.back());
      for (void*& state : tensor.state) state = array(std::vector<float>(n + 8));
      tensor.n = shape.count(), tensor.columns = shape.columns, tensor.first_row = step.rows;
      if (shape.rows > 0) {
        tensor.is_matrix = 1, tensor.batch = shape.batch, tensor.rows = shape.rows;
        step.rows += shape.batch * shape.rows;
      }
      if (masked) {
        std::vector<std::uint8_t> mask(n);
        for (std::size_t i = 0; i < n; ++i) mask[i] = i % 3 != 0;
        masks.push_back(std::make_unique<DeviceArray<std::uint8_t>>(mask));
        tensor.mask = masks.back()->data();
      }
      table.push_back(tensor);
    }
    tensors = std::make_unique<DeviceArray<device::OptimTensor>>(table);
    const auto count = static_cast<std::int32_t>(sizes.size());
    std::vector<device::OptimChunk> pieces(
        static_cast<std::size_t>(device::optim_chunks(sizes.data(), count, nullptr)));
    device::optim_chunks(sizes.data(), count, pieces.data());
    chunks = std::make_unique<DeviceArray<device::OptimChunk>>(pieces);
    step.rule = rule;
    step.tensors = tensors->data(), step.chunks = chunks->data();
    step.tensor_count = count, step.chunk_count = static_cast<std::int32_t>(pieces.size()), step.groups = 1;
    step.hyper = hyper.data(), step.counter = counter.data(), step.report = report.data();
  }

  float* array(const std::vector<float>& values) {
    return memory.emplace_back(std::make_unique<DeviceArray<float>>(values))->data();
  }
  std::vector<float> param(std::size_t t) const {
    std::vector<float> values(params[t].size());
    require(plugin().download(stream(), values.data(), d_params[t], static_cast<Index>(values.size() * 4)));
    require(plugin().stream_wait(stream()));
    return values;
  }
  bool run() { return launch(plugin().launch.optim_step, step, "optim_step"); }
};

template <class Hyper>
void check(optim::RuleId rule, const Hyper& hyper, const char* name, const Step& move) {
  for (const bool masked : {false, true}) {
    std::vector<std::vector<float>> first;
    in_all_orders([&](const char* order) {
      Model model(rule, hyper, masked);
      std::vector<Reference> wanted;
      for (std::size_t t = 0; t < kShapes.size(); ++t)
        wanted.emplace_back(kShapes[t], model.params[t], model.grads[t], masked);
      for (int step = 1; step <= kSteps; ++step) {
        if (!model.run()) return;
        move(wanted, step);
      }
      std::vector<std::vector<float>> got;
      for (std::size_t t = 0; t < kShapes.size(); ++t) {
        got.push_back(model.param(t));
        agree(got.back(), wanted[t].p, 2e-5, 2e-6, std::string(name) + (masked ? ", masked, " : ", ") + order);
      }
      if (first.empty()) first = got;
      CHECK(first == got);
    });
  }
}

}  // namespace

TEST(lamb_follows_its_paper) {
  optim::LambHyper h;
  h.lr = 0.05;
  check(optim::RuleId::lamb, h, "lamb", [h](std::vector<Reference>& tensors, int step) {
    for (Reference& t : tensors) {
      std::vector<double> u(t.p.size());
      for (std::size_t i = 0; i < t.p.size(); ++i) {
        t.m[i] = h.beta1 * t.m[i] + (1 - h.beta1) * t.g[i];
        t.v[i] = h.beta2 * t.v[i] + (1 - h.beta2) * t.g[i] * t.g[i];
        u[i] = t.m[i] / (1 - std::pow(h.beta1, step)) / (std::sqrt(t.v[i] / (1 - std::pow(h.beta2, step))) + h.eps) +
               h.weight_decay * t.p[i];
      }
      const double p = t.norm(t.p), length = t.norm(u), ratio = p == 0 || length == 0 ? 1 : p / length;
      t.move([&](std::size_t i) { return t.p[i] - h.lr * ratio * u[i]; });
    }
  });
}

TEST(lars_follows_its_paper) {
  optim::LarsHyper h;
  h.momentum = 0.9, h.weight_decay = 0.01, h.trust = 0.02;
  check(optim::RuleId::lars, h, "lars", [h](std::vector<Reference>& tensors, int step) {
    for (Reference& t : tensors) {
      const double p = t.norm(t.p), g = t.norm(t.g);
      const double local = p == 0 || g == 0 ? 1 : h.trust * p / (g + h.weight_decay * p + h.eps);
      for (std::size_t i = 0; i < t.p.size(); ++i) {
        const double d = local * (t.g[i] + h.weight_decay * t.p[i]);
        t.m[i] = step == 1 ? d : h.momentum * t.m[i] + d;
      }
      t.move([&](std::size_t i) { return t.p[i] - h.lr * t.m[i]; });
    }
  });
}

TEST(adafactor_follows_pytorch) {
  optim::AdafactorHyper h;
  h.weight_decay = 0.1;
  check(optim::RuleId::adafactor, h, "adafactor", [h](std::vector<Reference>& tensors, int step) {
    for (Reference& t : tensors) {
      const double w = std::pow(step, h.beta2_decay), shown = t.sum([](std::size_t) { return 1.0; });
      if (shown == 0) {
        t.move([](std::size_t) { return 0.0; });  // all masked
        continue;
      }
      const Index rows = t.shape.rows, columns = t.shape.columns;
      std::vector<double> variance(t.p.size());
      for (Index b = 0; rows > 0 && b < t.shape.batch; ++b) {
        double mean = 0;
        const auto at = [&](Index r, Index c) { return static_cast<std::size_t>((b * rows + r) * columns + c); };
        for (Index r = 0; r < rows; ++r) {
          double sum = 0;
          for (Index c = 0; c < columns; ++c) sum += t.g[at(r, c)] * t.g[at(r, c)];
          double& own = t.row[static_cast<std::size_t>(b * rows + r)];
          own += w * (sum / static_cast<double>(columns) - own);
          mean += own / static_cast<double>(rows);
        }
        for (Index c = 0; c < columns; ++c) {
          double sum = 0;
          for (Index r = 0; r < rows; ++r) sum += t.g[at(r, c)] * t.g[at(r, c)];
          double& own = t.column[static_cast<std::size_t>(b * columns + c)];
          own += w * (sum / static_cast<double>(rows) - own);
          for (Index r = 0; r < rows; ++r)
            variance[at(r, c)] = t.row[static_cast<std::size_t>(b * rows + r)] * own / std::max(mean, h.eps1);
        }
      }
      std::vector<double> u(t.p.size());
      for (std::size_t i = 0; i < t.p.size(); ++i) {
        if (rows == 0) variance[i] = t.v[i] += w * (t.g[i] * t.g[i] - t.v[i]);
        u[i] = t.g[i] / std::sqrt(std::max(variance[i], h.eps1 * h.eps1));
      }
      const double rms_p = t.norm(t.p) / std::sqrt(shown), rms_u = t.norm(u) / std::sqrt(shown);
      const double rate = std::min(h.lr, 1 / std::sqrt(static_cast<double>(step))) * std::max(h.eps2, rms_p) /
                          std::max(1.0, rms_u / h.d);
      t.move([&](std::size_t i) { return t.p[i] * (1 - h.lr * h.weight_decay) - rate * u[i]; });
    }
  });
}

TEST(prodigy_follows_its_paper) {
  optim::ProdigyHyper h;
  h.d0 = 1e-3, h.weight_decay = 0.01;
  double d = 0, most = 0, n = 0;
  check(optim::RuleId::prodigy, h, "prodigy", [&, h](std::vector<Reference>& tensors, int step) {
    if (step == 1) d = most = h.d0, n = 0;
    const double k = d * h.lr, beta3 = std::sqrt(h.beta2), unit = d / h.d0;
    double along = 0, whole = 0;
    for (Reference& t : tensors) {
      for (std::size_t i = 0; i < t.p.size(); ++i) {
        t.m[i] = h.beta1 * t.m[i] + d * (1 - h.beta1) * t.g[i];
        t.v[i] = h.beta2 * t.v[i] + d * d * (1 - h.beta2) * t.g[i] * t.g[i];
        t.s[i] = beta3 * t.s[i] + unit * k * t.g[i];
      }
      along += t.sum([&](std::size_t i) { return t.g[i] * (t.start[i] - t.p[i]); });
      whole += t.sum([&](std::size_t i) { return std::fabs(t.s[i]); });
    }
    n = beta3 * n + unit * k * along;
    const double guess = h.d_coef * n / whole;
    if (d == h.d0) d = std::max(d, guess);
    most = std::max(most, guess);
    d = std::min(most, d * h.growth_rate);
    for (Reference& t : tensors)
      t.move([&](std::size_t i) {
        const double u = t.m[i] == 0 ? 0 : t.m[i] / (std::sqrt(t.v[i]) + d * h.eps);
        return t.p[i] * (1 - h.weight_decay * k) - k * u;
      });
  });
}

TEST(a_tensor_that_is_not_finite_stays_and_is_named) {
  optim::LambHyper h;
  Model model(optim::RuleId::lamb, h, false);
  std::vector<float> grad = model.grads[3];
  grad[7] = INFINITY;
  const DeviceArray<float> bad(grad);
  device::OptimTensor tensor = model.tensors->as_it_is()[3];
  tensor.grad = bad.data();
  model.tensors->set(3, tensor);
  CHECK(model.run());
  CHECK(model.param(3) == model.params[3]);
  CHECK(model.param(1) != model.params[1]);
  CHECK_EQ(model.report.values()[3], 2.0 + 3);
}

// The fused optimizer step on the emulated device: SGD and AdamW beside PyTorch's formulas in double over many steps, every rule and
// variant beside its own maths on the host bit for bit, norm and clip, skipped steps, masks, updates that are not finite, many tensors.
#include <cmath>
#include <cstring>

#define ATHANOR_ISA_LANE
#include <math.h>

#include "cuda/test/plugin.h"
#include "simd/math.inl.h"
#include "update_rules/all.h"

using namespace athanor;
using namespace athanor::test;
using kernels::lane::Vec;

namespace {

// Tensors of uneven sizes, some empty, one of several chunks.
const std::vector<Index> kSizes = {1, 300, 0, 4096, 5000, 17};

struct Model {
  std::vector<std::vector<float>> params, grads;
  std::vector<std::unique_ptr<DeviceArray<float>>> d_params, d_grads, d_states;
  std::vector<std::unique_ptr<DeviceArray<std::uint8_t>>> d_masks;
  std::unique_ptr<DeviceArray<device::OptimTensor>> tensors;
  std::unique_ptr<DeviceArray<device::OptimChunk>> chunks;
  DeviceArray<device::OptimCounter> counter{std::vector<device::OptimCounter>(1)};
  DeviceArray<double> report{4};
  std::unique_ptr<DeviceArray<double>> hyper;
  device::OptimStep step;

  Model(optim::RuleId rule, const std::vector<double>& values, float initial = 0, bool masked = false) {
    std::vector<device::OptimTensor> table;
    for (std::size_t t = 0; t < kSizes.size(); ++t) {
      const auto n = static_cast<std::size_t>(kSizes[t]);
      params.push_back(numbers(n, t + 1));
      grads.push_back(numbers(n, t + 100));
      d_params.push_back(std::make_unique<DeviceArray<float>>(params.back()));
      d_grads.push_back(std::make_unique<DeviceArray<float>>(grads.back()));
      device::OptimTensor tensor;
      tensor.param = d_params.back()->data(), tensor.grad = d_grads.back()->data(), tensor.n = kSizes[t];
      for (void*& state : tensor.state) {
        d_states.push_back(std::make_unique<DeviceArray<float>>(std::vector<float>(n, initial)));
        state = d_states.back()->data();
      }
      if (masked) {
        std::vector<std::uint8_t> mask(n);
        for (std::size_t i = 0; i < n; ++i) mask[i] = i % 3 != 0;
        d_masks.push_back(std::make_unique<DeviceArray<std::uint8_t>>(mask));
        tensor.mask = d_masks.back()->data();
      }
      table.push_back(tensor);
    }
    tensors = std::make_unique<DeviceArray<device::OptimTensor>>(table);
    std::vector<device::OptimChunk> pieces(static_cast<std::size_t>(
        device::optim_chunks(kSizes.data(), static_cast<std::int32_t>(kSizes.size()), nullptr)));
    device::optim_chunks(kSizes.data(), static_cast<std::int32_t>(kSizes.size()), pieces.data());
    chunks = std::make_unique<DeviceArray<device::OptimChunk>>(pieces);
    hyper = std::make_unique<DeviceArray<double>>(values);
    step.rule = rule;
    step.tensors = tensors->data(), step.chunks = chunks->data();
    step.tensor_count = static_cast<std::int32_t>(kSizes.size()),
    step.chunk_count = static_cast<std::int32_t>(pieces.size()), step.groups = 1;
    step.hyper = hyper->data(), step.counter = counter.data(), step.report = report.data();
  }

  bool run() { return launch(plugin().launch.optim_step, step, "optim_step"); }
  std::vector<float> param(std::size_t t) const { return d_params[t]->values("parameter"); }
};

double global_norm(const Model& model) {
  double sum = 0;
  for (const auto& grad : model.grads)
    for (const float g : grad) sum += static_cast<double>(g) * static_cast<double>(g);
  return std::sqrt(sum);
}

template <class Hyper>
std::vector<double> values_of(const Hyper& hyper) {
  std::vector<double> values(sizeof(Hyper) / sizeof(double));
  std::memcpy(values.data(), &hyper, sizeof hyper);
  return values;
}

// Three steps of a rule beside a plain loop over the same maths.
template <class Rule, class Hyper, int kVariant>
void check_variant(optim::RuleId id, const Hyper& hyper, const char* name) {
  std::vector<float> first;
  in_all_orders([&](const char* order) {
    Model model(id, values_of(hyper), 0.25f);
    std::vector<std::vector<float>> wanted = model.params;
    std::vector<std::vector<Vec>> states;
    for (const auto& p : wanted) states.push_back(std::vector<Vec>(p.size() * optim::kMaxState, Vec{0.25f}));
    for (Index step = 1; step <= 3; ++step) {
      if (!model.run()) return;
      float scalars[optim::kMaxScalars] = {};
      Rule::prepare(hyper, step, scalars);
      const typename Rule::template Update<Vec, kVariant> update(scalars);
      for (std::size_t t = 0; t < wanted.size(); ++t)
        for (std::size_t i = 0; i < wanted[t].size(); ++i) {
          Vec(&s)[optim::kMaxState] = *reinterpret_cast<Vec(*)[optim::kMaxState]>(&states[t][i * optim::kMaxState]);
          wanted[t][i] = update(Vec{wanted[t][i]}, Vec{optim::gradient_sign(hyper.maximize) * model.grads[t][i]}, s).v;
        }
    }
    for (std::size_t t = 0; t < wanted.size(); ++t)
      CHECK_MESSAGE(model.param(t) == wanted[t],
                    std::string(name) + " variant " + std::to_string(kVariant) + ", " + order);
    CHECK(model.counter.values()[0].steps == 3);
  });
}

template <class Rule, class Hyper, int... kVariants>
void check_rule(optim::RuleId id, const char* name, std::integer_sequence<int, kVariants...>) {
  // All flags and switches of the hyper-parameters, so that every variant comes up.
  const auto one = [&]<int kVariant>(std::integral_constant<int, kVariant>) {
    for (unsigned bits = 0; bits < 256; ++bits) {
      Hyper hyper;
      std::vector<double> values = values_of(hyper);
      unsigned bit = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] == 0 && bit < 8) values[i] = bits >> bit++ & 1u ? 1 : 0;
      }
      std::memcpy(static_cast<void*>(&hyper), values.data(), sizeof hyper);
      if (Rule::variant(hyper) != kVariant) continue;
      check_variant<Rule, Hyper, kVariant>(id, hyper, name);
      return;
    }
    report(name, 0, "no hyper-parameters give variant " + std::to_string(kVariant));
  };
  (one(std::integral_constant<int, kVariants>{}), ...);
}

// Rules of several passes have tests of their own (optim_passes_test.cc), but for those with products of matrices, which are refused.
template <class Rule, class Hyper>
void check_row(optim::RuleId id, const char* name) {
  if constexpr (!optim::kHasPasses<Rule>) {
    check_rule<Rule, Hyper>(id, name, std::make_integer_sequence<int, Rule::kVariants>());
  } else {
    device::OptimStep step;
    step.rule = id;
    CHECK_MESSAGE((plugin().launch.optim_step.refuses(step) != nullptr) == (id == optim::RuleId::muon), name);
  }
}

}  // namespace

TEST(every_rule_is_its_own_maths) {
#define HYPER(name, value, interval)
#define FLAG(name, value)
#define STATE(name, init)
#define RULE_BEGIN(id, Type) check_row<optim::Type, optim::Type##Hyper>(optim::RuleId::id, #id);
#define RULE_END(id, Type)
#include "update_rules/rules.def"
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END
}

// torch.optim.AdamW, single tensor form.
TEST(adamw_follows_pytorch_over_fifty_steps) {
  optim::AdamWHyper hyper;
  hyper.lr = 1e-2, hyper.weight_decay = 0.1;
  Model model(optim::RuleId::adamw, values_of(hyper));
  std::vector<double> p = doubles(model.params[1]), m(p.size()), v(p.size());
  for (int step = 1; step <= 50; ++step) {
    CHECK(model.run());
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = static_cast<double>(model.grads[1][i]);
      p[i] *= 1 - hyper.lr * hyper.weight_decay;
      m[i] += (g - m[i]) * (1 - hyper.beta1);
      v[i] = hyper.beta2 * v[i] + (1 - hyper.beta2) * g * g;
      const double bias1 = 1 - std::pow(hyper.beta1, step), bias2 = std::sqrt(1 - std::pow(hyper.beta2, step));
      p[i] -= hyper.lr / bias1 * m[i] / (std::sqrt(v[i]) / bias2 + hyper.eps);
    }
  }
  agree(model.param(1), p, 1e-5, 1e-5, "adamw");
}

TEST(norm_clip_and_scale) {
  optim::SgdHyper hyper;
  hyper.lr = 1;
  in_all_orders([&](const char* order) {
    Model model(optim::RuleId::sgd, values_of(hyper));
    model.step.grad_scale = 0.5, model.step.max_norm = 1, model.step.clip_value = 0.01;
    CHECK(model.run());
    const std::vector<double> report = model.report.values();
    const double norm = global_norm(model) * 0.5, clip = 1 / (norm + 1e-6);
    CHECK_NEAR(report[0], norm, 1e-9 * norm);
    CHECK_NEAR(report[1], clip, 1e-9);
    CHECK_MESSAGE(report[2] == 1 && report[3] == 0, order);
    std::vector<double> wanted;
    for (std::size_t i = 0; i < model.params[4].size(); ++i) {
      const double g = static_cast<double>(model.grads[4][i]) * 0.5 * clip;
      wanted.push_back(static_cast<double>(model.params[4][i]) - std::fmin(0.01, std::fmax(-0.01, g)));
    }
    agree(model.param(4), wanted, 1e-6, 1e-7, order);
  });
}

TEST(skipped_steps_change_nothing_and_do_not_count) {
  const std::vector<double> hyper = values_of(optim::AdamHyper{});
  in_all_orders([&](const char*) {
    Model model(optim::RuleId::adam, hyper);
    model.d_grads[4]->set(4999, INFINITY);
    model.step.skip_nonfinite = true;
    CHECK(model.run());
    std::vector<double> report = model.report.values();
    CHECK(report[2] == 0 && report[3] == 1 && model.counter.values()[0].steps == 0);
    CHECK(model.param(1) == model.params[1] && model.param(4) == model.params[4]);
    // A loss that is not finite: the guard.
    model.d_grads[4]->set(4999, 1);
    const DeviceArray<float> loss(std::vector<float>{NAN});
    model.step.guard = loss.data();
    CHECK(model.run());
    report = model.report.values();
    CHECK(std::isnan(report[0]) && report[1] == 1 && report[2] == 0 && report[3] == 1);
    CHECK(model.param(1) == model.params[1] && model.counter.values()[0].steps == 0);
    // A run that has failed.
    model.step.guard = nullptr;
    device::RunRecord record{};
    record.owner = 1;
    const DeviceArray<device::RunRecord> run(std::vector{record});
    model.step.check.run = run.data();
    CHECK(model.run());
    CHECK(model.param(1) == model.params[1] && model.counter.values()[0].steps == 0);
  });
}

TEST(elements_that_would_not_be_finite_stay) {
  optim::SgdHyper hyper;
  hyper.lr = 1;
  in_all_orders([&](const char*) {
    Model model(optim::RuleId::sgd, values_of(hyper));
    model.d_grads[3]->set(77, NAN);
    model.d_grads[4]->set(4500, INFINITY);
    model.d_grads[5]->set(0, NAN);
    CHECK(model.run());
    CHECK(model.report.values()[3] == 2 + 3);
    const std::vector<float> p = model.param(3);
    for (std::size_t i = 0; i < p.size(); ++i)
      CHECK_EQ(p[i], i == 77 ? model.params[3][i] : model.params[3][i] - model.grads[3][i]);
  });
}

TEST(masks_hold_parameters_and_states_at_zero) {
  Model model(optim::RuleId::adam, values_of(optim::AdamHyper{}), 0.5f, true);
  model.step.want_norm = true;
  CHECK(model.run());
  const std::vector<float> p = model.param(4), m = model.d_states[4 * optim::kMaxState]->values();
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(i % 3 == 0 ? p[i] == 0 && m[i] == 0 : p[i] != 0 && m[i] != 0);
  double sum = 0;
  for (const auto& grad : model.grads)
    for (std::size_t i = 0; i < grad.size(); ++i)
      sum += i % 3 == 0 ? 0 : static_cast<double>(grad[i]) * static_cast<double>(grad[i]);
  CHECK_NEAR(model.report.values()[0], std::sqrt(sum), 1e-9);
}

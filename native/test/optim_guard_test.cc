// Updates that are not finite: whatever the rule and the reason, the elements concerned keep parameter and states, all others move
// as if they were alone, and the step names the first segment. Every rule, every instruction set, every place in a register.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "optim/optimizer.h"
#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor::optim {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Case {
  std::string name;
  RuleId rule;
  std::vector<double> hyper;
  float gradient, state;  // of the element that goes wrong
};

// lr, weight_decay, …: the order of rules.def.
std::vector<Case> chosen() {
  return {
      {"sgd: infinite gradient", RuleId::sgd, {0.1, 0, 0, 0, 0, 0}, kInf, 0},
      {"sgd: step overflows", RuleId::sgd, {1e36, 0, 0, 0, 0, 0}, 1e3f, 0},
      {"momentum: buffer overflows", RuleId::sgd, {0.1, 0, 0.9, 0, 0, 0}, 3e38f, 3e38f},
      {"nesterov: NaN gradient", RuleId::sgd, {0.1, 0, 0.9, 0, 1, 0}, std::nanf(""), 0},
      {"adam: eps 0, no gradient", RuleId::adam, {1e-3, 0, 0.9, 0.999, 0, 0, 0}, 0, 0},
      {"adam: second moment overflows", RuleId::adam, {1e-3, 0, 0.9, 0.999, 1e-8, 0, 0}, 1e30f, 0},
      {"amsgrad: eps 0, no gradient", RuleId::adam, {1e-3, 0, 0.9, 0.999, 0, 1, 0}, 0, 0},
      {"adamw: eps 0, no gradient", RuleId::adamw, {1e-3, 0.01, 0.9, 0.999, 0, 0, 0}, 0, 0},
      {"adamw: NaN gradient", RuleId::adamw, {1e-3, 0.01, 0.9, 0.999, 1e-8, 0, 0}, std::nanf(""), 0},
      {"rmsprop: eps 0, no gradient", RuleId::rmsprop, {1e-2, 0, 0.99, 0, 0, 0, 0}, 0, 0},
      {"rmsprop: mean of squares overflows", RuleId::rmsprop, {1e-2, 0, 0.99, 1e-8, 0, 0, 0}, 3e20f, 3e38f},
      {"centered rmsprop: NaN gradient", RuleId::rmsprop, {1e-2, 0, 0.99, 1e-8, 0, 1, 0}, std::nanf(""), 0},
      {"rmsprop with momentum: eps 0, no gradient", RuleId::rmsprop, {1e-2, 0, 0.99, 0, 0.9, 0, 0}, 0, 0},
      {"adagrad: eps 0, no gradient", RuleId::adagrad, {1e-2, 0, 0, 0, 0, 0}, 0, 0},
      {"adagrad: sum overflows", RuleId::adagrad, {1e-2, 0, 0, 0, 1e-10, 0}, 3e19f, 0},
      {"adamax: eps 0, no gradient", RuleId::adamax, {2e-3, 0, 0.9, 0.999, 0, 0}, 0, 0},
      {"adadelta: eps 0, no gradient", RuleId::adadelta, {1, 0, 0.9, 0, 0}, 0, 0},
      {"nadam: eps 0, no gradient", RuleId::nadam, {2e-3, 0, 0.9, 0.999, 0, 4e-3, 0, 0}, 0, 0},
      {"ademamix: eps 0, no gradient", RuleId::ademamix, {1e-3, 0, 0.9, 0.999, 0.9999, 5, 0, 0}, 0, 0},
  };
}

// And every rule with the hyper-parameters that it has by default, where the gradient is NaN or infinite.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> made = chosen();
    for (int r = 0; r < kRuleCount; ++r) {
      const RuleInfo& rule = info(RuleId(r));
      if (rule.has_passes) continue;  // optim_passes_test.cc
      std::vector<double> hyper;
      for (const HyperInfo& h : rule.hypers) hyper.push_back(h.initial);
      made.push_back({std::string(rule.name) + ": NaN gradient", RuleId(r), hyper, std::nanf(""), 0});
      made.push_back({std::string(rule.name) + ": infinite gradient", RuleId(r), hyper, -kInf, 0});
    }
    return made;
  }();
  return all;
}

// Two segments of n elements; element `at` of the second is the case's, all others are harmless.
struct Memory {
  Index n;
  std::vector<float> param, grad, state[kMaxState];
  std::vector<std::uint8_t> mask;

  Memory(const Case& c, Index size, Index at, bool masked)
      : n(size), param(2 * size), grad(2 * size), mask(2 * size, 1) {
    for (auto& s : state) s.assign(2 * size, 1);
    for (Index i = 0; i < 2 * n; ++i) param[i] = 0.5f + float(i % 7), grad[i] = 0.25f + float(i % 5);
    if (at < 0) return;
    grad[n + at] = c.gradient;
    for (auto& s : state) s[n + at] = c.state;
    mask[n + at] = masked ? 0 : 1;
  }
  StepResult step_with(const Case& c, Parallel& parallel) {
    std::vector<Segment> segments;
    for (int half = 0; half < 2; ++half) {
      Segment s{param.data() + half * n, grad.data() + half * n};
      for (int k = 0; k < kMaxState; ++k) s.state[k] = state[k].data() + half * n;
      s.mask = mask.data() + half * n;
      s.n = n;
      segments.push_back(s);
    }
    const OptimPlan plan(std::move(segments));
    const Group group = prepare(c.rule, c.hyper, 3);
    return step(plan, {&group, 1}, {}, nullptr, parallel);
  }
};

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void check_case(const Case& c, const std::string& isa, Index n, Index at) {
  const std::string label = c.name + " on " + isa + ", element " + std::to_string(at) + " of " + std::to_string(n);
  Sequential sequential;
  Memory broken(c, n, at, false), harmless(c, n, -1, false);
  const Memory before = broken;
  const StepResult result = broken.step_with(c, sequential);
  CHECK_EQ(harmless.step_with(c, sequential).nonfinite, -1);
  CHECK_MESSAGE(result.nonfinite == 1, label + " is not reported");
  for (Index i = 0; i < 2 * n; ++i) {
    bool held = same_bits(broken.param[i], before.param[i]);
    bool same = same_bits(broken.param[i], harmless.param[i]);
    for (int k = 0; k < kMaxState; ++k) {
      held = held && same_bits(broken.state[k][i], before.state[k][i]);
      same = same && same_bits(broken.state[k][i], harmless.state[k][i]);
      CHECK_MESSAGE(std::isfinite(broken.state[k][i]), label + ": a state is not finite");
    }
    CHECK_MESSAGE(std::isfinite(broken.param[i]), label + ": a parameter is not finite");
    CHECK_MESSAGE(i == n + at ? held : same, label + ": element " + std::to_string(i) + " is not as it should be");
  }
}

}  // namespace

TEST(an_update_that_is_not_finite_is_held_back_and_named) {
  test::for_each_isa([](const KernelTable& table) {
    for (const Case& c : cases()) {
      for (const Index n : {1, 3, 16, 37}) {
        for (Index at = 0; at < n; ++at) check_case(c, table.isa, n, at);
      }
    }
  });
}

TEST(what_a_mask_hides_is_zero_and_no_failure) {
  test::for_each_isa([](const KernelTable& table) {
    for (const Case& c : cases()) {
      Memory memory(c, 21, 20, true);
      Sequential sequential;
      CHECK_MESSAGE(memory.step_with(c, sequential).nonfinite == -1, c.name + " on " + table.isa);
      CHECK_EQ(memory.param[41], 0.0f);
    }
  });
}

TEST(the_first_segment_is_named_for_any_number_of_workers) {
  const Case& c = cases()[4];
  for (const int workers : {1, 2, 7}) {
    test::Threads pool(workers);
    Memory memory(c, 400'000, 399'999, false);
    memory.grad[123'456] = std::nanf("");
    CHECK_EQ(memory.step_with(c, pool).nonfinite, 0);
    CHECK_EQ(memory.param[123'456], 0.5f + float(123'456 % 7));
  }
}

}  // namespace athanor::optim

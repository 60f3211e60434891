// Every update rule over 50 steps against torch.optim's formulas written straight down in double, with every option; the
// driver's packing, clipping, masks, guards and determinism, on every instruction set of the machine.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "optim/optimizer.h"
#include "test/optim_reference.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor::optim {
namespace {

// 50 steps with a learning rate that changes, against Reference and within its bound.
void check_trajectory(const std::string& name, Options options, bool masked = false) {
  const RuleId rule = rule_by_name(name.c_str());
  on_every_isa([&](const std::string& isa) {
    Arena arena({0, 1, 7, 64, 33});
    arena.masked = masked;
    std::vector<Reference> references;
    Reference start{name, {}};
    for (const HyperInfo& h : info(rule).hypers) start.h[h.name] = options.count(h.name) ? options[h.name] : h.initial;
    start.a = name == "adagrad" ? start.h["initial_accumulator"] : 0;
    const double lr = start.h["lr"];
    arena.each([&](Index i) {
      arena.arrays[2][i] = float(start.a);
      references.push_back(start);
      references.back().p = arena.arrays[0][i];
    });
    const OptimPlan plan(arena.segments(state_mask(rule, hypers(rule, options))));
    std::vector<double> workspace(step_workspace(plan) / 8);
    std::mt19937 random(7);
    Sequential sequential;
    for (int t = 1; t <= 50; ++t) {
      arena.fill(1, random, 0.5f);
      options["lr"] = lr * (1 + 0.5 * std::cos(t));
      const Group group = prepare(rule, hypers(rule, options), t);
      StepOptions step_options;
      step_options.grad_scale = 0.25;
      step(plan, {&group, 1}, step_options, workspace.data(), sequential);
      Index j = 0;
      arena.each([&](Index i) {
        references[j].h["lr"] = options["lr"];
        references[j++].step(0.25 * arena.arrays[1][i], t);
      });
    }
    Index j = 0;
    double worst = 0;
    arena.each([&](Index i) {
      const bool kept = !masked || arena.mask[i];
      if (kept) worst = std::max(worst, std::fabs(arena.arrays[0][i] - references[j].p) / references[j].bound);
      if (!kept) CHECK(arena.arrays[0][i] == 0 && arena.arrays[2][i] == 0);
      ++j;
    });
    CHECK_MESSAGE(worst <= 1, name + " on " + isa + ": error is " + std::to_string(worst) + " of its bound");
    CHECK(arena.guards_hold());
  });
}

TEST(sgd_follows_the_formula) {
  check_trajectory("sgd", {});
  check_trajectory("sgd", {{"lr", 0.1}, {"weight_decay", 0.01}});
  check_trajectory("sgd", {{"momentum", 0.9}, {"weight_decay", 0.01}});
  check_trajectory("sgd", {{"momentum", 0.9}, {"dampening", 0.3}, {"maximize", 1}});
  check_trajectory("sgd", {{"momentum", 0.8}, {"nesterov", 1}, {"weight_decay", 0.1}}, true);
}

TEST(adam_follows_the_formula) {
  check_trajectory("adam", {});
  check_trajectory("adam", {{"lr", 0.02}, {"weight_decay", 0.05}, {"amsgrad", 1}});
  check_trajectory("adam", {{"beta1", 0.3}, {"beta2", 0.9}, {"eps", 1e-3}, {"maximize", 1}});
  check_trajectory("adam", {{"beta1", 0}, {"beta2", 0.5}}, true);
}

TEST(adamw_follows_the_formula) {
  check_trajectory("adamw", {});
  check_trajectory("adamw", {{"lr", 0.02}, {"weight_decay", 0.5}, {"amsgrad", 1}}, true);
  check_trajectory("adamw", {{"beta1", 0.95}, {"beta2", 0.98}, {"eps", 1e-6}, {"maximize", 1}});
}

TEST(rmsprop_follows_the_formula) {
  check_trajectory("rmsprop", {});
  check_trajectory("rmsprop", {{"momentum", 0.9}, {"weight_decay", 0.01}});
  check_trajectory("rmsprop", {{"centered", 1}, {"alpha", 0.9}, {"eps", 1e-3}, {"maximize", 1}});
  check_trajectory("rmsprop", {{"centered", 1}, {"momentum", 0.5}, {"alpha", 0.4}, {"eps", 1e-2}}, true);
}

TEST(adagrad_follows_the_formula) {
  check_trajectory("adagrad", {});
  check_trajectory("adagrad", {{"lr", 0.1}, {"lr_decay", 0.1}, {"initial_accumulator", 0.1}, {"weight_decay", 0.01}});
  check_trajectory("adagrad", {{"maximize", 1}, {"eps", 1e-2}}, true);
}

// The state of centered RMSProp after one constant gradient has variance alpha-dependent and tiny: never NaN.
TEST(centered_rmsprop_survives_a_constant_gradient) {
  Arena arena({37});
  const std::vector<double> h = hypers(RuleId::rmsprop, {{"centered", 1}, {"eps", 1e-4}, {"alpha", 0.5}});
  const OptimPlan plan(arena.segments(state_mask(RuleId::rmsprop, h)));
  std::fill(arena.arrays[1].begin(), arena.arrays[1].end(), 0.1f);
  Sequential sequential;
  for (int t = 1; t <= 200; ++t) {
    const Group group = prepare(RuleId::rmsprop, h, t);
    step(plan, {&group, 1}, {}, nullptr, sequential);
  }
  arena.each([&](Index i) { CHECK(std::isfinite(arena.arrays[0][i])); });
}

TEST(what_a_mask_hides_does_not_count_in_the_norm) {
  on_every_isa([](const std::string&) {
    Arena arena({0, 1000, 1, 40000, 17});
    arena.masked = true;
    std::mt19937 random(3);
    arena.fill(1, random, 2.0f);
    double sum = 0;
    arena.each([&](Index i) {
      if (arena.mask[i])
        sum += double(arena.arrays[1][i]) * arena.arrays[1][i];
      else
        arena.arrays[1][i] = std::numeric_limits<float>::quiet_NaN();
    });
    const OptimPlan plan(arena.segments(0));
    std::vector<double> workspace(step_workspace(plan) / 8);
    Sequential sequential;
    CHECK_NEAR(grad_norm(plan, workspace.data(), sequential), std::sqrt(sum), 1e-12 * std::sqrt(sum));
  });
}

TEST(global_norm_and_clip_factor) {
  on_every_isa([](const std::string&) {
    Arena arena({0, 1000, 1, 40000, 17});
    std::mt19937 random(3);
    arena.fill(1, random, 2.0f);
    double sum = 0;
    arena.each([&](Index i) { sum += double(arena.arrays[1][i]) * arena.arrays[1][i]; });
    const OptimPlan plan(arena.segments(0));
    std::vector<double> workspace(step_workspace(plan) / 8);
    Sequential sequential;
    CHECK_NEAR(grad_norm(plan, workspace.data(), sequential), std::sqrt(sum), 1e-12 * std::sqrt(sum));

    const std::vector<float> before = arena.arrays[0];
    const Group group = prepare(RuleId::sgd, hypers(RuleId::sgd, {{"lr", 1}}), 1);
    StepOptions options;
    options.grad_scale = 0.5;
    options.max_norm = 1;
    const StepResult result = step(plan, {&group, 1}, options, workspace.data(), sequential);
    CHECK_NEAR(result.grad_norm, 0.5 * std::sqrt(sum), 1e-11 * std::sqrt(sum));
    CHECK_NEAR(result.clip_factor, 1 / (result.grad_norm + 1e-6), 1e-15);
    double moved = 0;
    arena.each([&](Index i) { moved += std::pow(double(before[i]) - arena.arrays[0][i], 2); });
    CHECK_NEAR(std::sqrt(moved), 1.0, 1e-4);

    options.max_norm = 1e9;  // larger than the norm: nothing is scaled up
    CHECK_EQ(step(plan, {&group, 1}, options, workspace.data(), sequential).clip_factor, 1.0);
  });
}

TEST(clip_by_value_follows_the_scale) {
  Arena arena({5});
  const float gradients[5] = {-8, -1, 0.5f, 1, 8};
  Index j = 0;
  arena.each([&](Index i) { arena.arrays[0][i] = 0, arena.arrays[1][i] = gradients[j++]; });
  const OptimPlan plan(arena.segments(0));
  const Group group = prepare(RuleId::sgd, hypers(RuleId::sgd, {{"lr", 1}}), 1);
  StepOptions options;
  options.grad_scale = 2;
  options.clip_value = 1.5;
  Sequential sequential;
  step(plan, {&group, 1}, options, nullptr, sequential);
  const float expected[5] = {1.5f, 1.5f, -1, -1.5f, -1.5f};
  j = 0;
  arena.each([&](Index i) { CHECK_EQ(arena.arrays[0][i], expected[j++]); });
}

TEST(a_gradient_that_is_not_finite_skips_the_step) {
  on_every_isa([](const std::string&) {
    for (const float bad : {std::nanf(""), float(kInfinity), -float(kInfinity)}) {
      for (const Index where : {1, 16385, 20001}) {
        Arena arena({20000, 3});
        std::mt19937 random(4);
        arena.fill(1, random, 1e18f);
        arena.arrays[1][where] = bad;
        const std::vector<float> before = arena.arrays[0];
        const OptimPlan plan(arena.segments(0));
        std::vector<double> workspace(step_workspace(plan) / 8);
        const Group group = prepare(RuleId::sgd, hypers(RuleId::sgd, {}), 1);
        StepOptions options;
        options.skip_nonfinite = true;
        Sequential sequential;
        const bool gap = where == 20001;  // between the two segments: nobody's gradient
        const StepResult result = step(plan, {&group, 1}, options, workspace.data(), sequential);
        CHECK_EQ(result.finite, gap);
        CHECK_EQ(result.skipped, !gap);
        CHECK_EQ(arena.arrays[0] == before, !gap);
      }
    }
  });
}

TEST(same_bits_for_any_workers_and_any_packing) {
  on_every_isa([](const std::string&) {
    std::vector<float> first;
    for (const int workers : {1, 2, 7}) {
      Arena arena({30000, 1, 0, 999, 1000, 50001, 16384, 15});
      test::Threads threads(workers);
      const OptimPlan plan(arena.segments(3, 2));
      std::vector<double> workspace(step_workspace(plan) / 8);
      std::mt19937 random(5);
      for (int t = 1; t <= 3; ++t) {
        arena.fill(1, random, 1.0f);
        const Group groups[2] = {prepare(RuleId::adamw, hypers(RuleId::adamw, {}), t),
                                 prepare(RuleId::adam, hypers(RuleId::adam, {{"lr", 0.1}}), t)};
        StepOptions options;
        options.max_norm = 0.5;
        step(plan, groups, options, workspace.data(), threads);
      }
      if (workers == 1) first = arena.arrays[0];
      CHECK(first == arena.arrays[0]);
      CHECK(arena.guards_hold());
    }
    // One flat tensor: the same elements, cut elsewhere (no clipping: a norm depends on the order of its terms).
    Arena many(std::vector<Index>(300, 101), 9), flat({300 * 101}, 9);
    Index j = 0;
    std::vector<float> values[2];
    std::mt19937 random(6);
    many.fill(1, random, 1.0f);
    many.each([&](Index i) {
      for (int a : {0, 1}) values[a].push_back(many.arrays[a][i]);
    });
    flat.each([&](Index i) {
      for (int a : {0, 1}) flat.arrays[a][i] = values[a][j];
      ++j;
    });
    Sequential sequential;
    const Group group = prepare(RuleId::adamw, hypers(RuleId::adamw, {}), 1);
    for (Arena* arena : {&many, &flat}) step(OptimPlan(arena->segments(3)), {&group, 1}, {}, nullptr, sequential);
    std::vector<float> a, b;
    many.each([&](Index i) { a.push_back(many.arrays[0][i]); });
    flat.each([&](Index i) { b.push_back(flat.arrays[0][i]); });
    CHECK(a == b);
  });
}

TEST(chunks_pack_small_segments_and_cut_large_ones) {
  Arena small(std::vector<Index>(2000, 1000)), large({100000}), none({0, 0});
  CHECK_EQ(OptimPlan(small.segments(0)).chunks(), 65);  // of a 64th, 2,000,000 / 64, give or take cache lines
  CHECK_EQ(OptimPlan(large.segments(0)).chunks(), 7);   // of the least, 16,384
  CHECK_EQ(OptimPlan({}).chunks(), 1);
  for (Arena* arena : {&small, &large, &none}) {
    const OptimPlan plan(arena->segments(0));
    Index covered = 0;
    for (int chunk = 0; chunk < plan.chunks(); ++chunk) {
      Index size = 0;
      plan.for_each_piece(chunk, [&](const Segment& s, Index offset, Index n) {
        CHECK(offset % 16 == 0 && n > 0 && offset + n <= s.n);
        size += n;
      });
      CHECK(size <= std::max(Index{16384}, plan.elements() / 64));
      covered += size;
    }
    CHECK_EQ(covered, plan.elements());
  }
}

TEST(what_is_missing_is_named) {
  CHECK_THROWS(rule_by_name("adamm"), Error);
  CHECK_THROWS(prepare(RuleId::adam, {}, 1), Error);
  CHECK_THROWS(prepare(RuleId::sgd, hypers(RuleId::sgd, {}), 0), Error);
  Arena arena({3});
  const OptimPlan plan(arena.segments(3));
  Sequential sequential;
  CHECK_THROWS(step(plan, {}, {}, nullptr, sequential), Error);
  const Group group = prepare(RuleId::adam, hypers(RuleId::adam, {{"amsgrad", 1}}), 1);
  CHECK_THROWS(step(plan, {&group, 1}, {}, nullptr, sequential), Error);
}

}  // namespace
}  // namespace athanor::optim

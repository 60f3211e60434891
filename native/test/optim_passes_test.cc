// Rules of several passes: the same bits for any number of workers, nearly the same for every instruction set, nothing moved in a
// tensor whose update is not finite, nothing counted that a mask hides. What they compute is held against PyTorch in test/golden.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "optim/optimizer.h"
#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor::optim {
namespace {

// Vectors and matrices, some cut into several chunks, in the middle of a matrix of a batch, with rows that are no multiple of a register.
const std::vector<Extents> kShapes = {{1, 1, 33, 33, false},   {1, 1, 20000, 20000, false}, {1, 70, 501, 70, true},
                                      {1, 501, 70, 501, true}, {6, 3, 3, 6, true},          {3, 37, 301, 3, true},
                                      {1, 1, 1, 1, true},      {1, 1, 0, 0, false},         {1, 2, 17000, 2, true}};

struct Tensors {
  std::vector<std::vector<float>> param, grad;
  std::vector<std::vector<std::vector<float>>> states;
  std::vector<std::vector<std::uint8_t>> masks;
  RuleId rule;
  std::vector<double> hyper;
  bool masked = false;

  Tensors(RuleId id, const std::vector<double>& h) : rule(id), hyper(h) {
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0, 1);
    for (const Extents& x : kShapes) {
      const auto n = static_cast<std::size_t>(x.count());
      param.emplace_back(n), grad.emplace_back(n), masks.emplace_back(n);
      for (float& p : param.back()) p = normal(random);
      for (auto& m : masks.back()) m = random() % 4 != 0;
      states.emplace_back();
      for (const StateInfo& state : info(rule).states) {
        const Index rows = x.batch * x.rows, columns = x.batch * x.columns;
        const Index sizes[] = {x.count(), rows, columns, kNumbers};
        const Index size = sizes[int(state.form)];
        states.back().emplace_back(static_cast<std::size_t>(size));
      }
    }
  }

  void draw(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 0.1f);
    for (auto& g : grad)
      for (float& value : g) value = normal(random);
  }

  OptimPlan plan() {
    std::vector<Segment> segments;
    for (std::size_t t = 0; t < kShapes.size(); ++t) {
      Segment s{param[t].data(), grad[t].data()};
      const unsigned mask = state_mask(rule, hyper, kShapes[t].matrix);
      for (std::size_t k = 0; k < states[t].size(); ++k)
        if (mask >> k & 1) s.state[k] = states[t][k].data();
      if (masked) s.mask = masks[t].data();
      s.n = kShapes[t].count();
      s.extents = kShapes[t];
      segments.push_back(s);
    }
    return OptimPlan(std::move(segments), rule);
  }

  StepResult step(Index number, Parallel& parallel) {
    const OptimPlan made = plan();
    std::vector<double> room(static_cast<std::size_t>(step_workspace(made, parallel.workers())) / 8 + 9);
    auto* aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(room.data()) + 63) / 64 * 64);
    const Group group = prepare(rule, hyper, number);
    StepOptions options;
    options.max_norm = 5;
    return optim::step(made, {&group, 1}, options, aligned, parallel);
  }
};

// Every rule of several passes with its defaults, with its flags turned and with decay and momentum.
template <class F>
void on_every_rule(F f) {
  for (int r = 0; r < kRuleCount; ++r) {
    if (!info(RuleId(r)).has_passes) continue;
    for (const bool turned : {false, true}) {
      std::vector<double> hyper;
      for (const HyperInfo& h : info(RuleId(r)).hypers) {
        const bool flag = *h.interval == 0, decay = std::strstr(h.name, "weight_decay") != nullptr;
        const double other = flag ? 1 - h.initial : decay ? 0.05 : h.initial;
        hyper.push_back(turned && std::strcmp(h.name, "adam_w") != 0 ? other : h.initial);
      }
      f(RuleId(r), hyper, std::string(info(RuleId(r)).name) + (turned ? ", flags turned" : ""));
    }
  }
}

TEST(passes_give_the_same_bits_for_any_workers) {
  test::for_each_isa([](const KernelTable& table) {
    const std::string isa = table.isa;
    on_every_rule([&](RuleId rule, const std::vector<double>& hyper, const std::string& name) {
      for (const bool masked : {false, true}) {
        std::vector<std::vector<float>> first;
        for (const int workers : {1, 2, 7}) {
          Tensors tensors(rule, hyper);
          tensors.masked = masked;
          test::Threads threads(workers);
          for (unsigned t = 1; t <= 3; ++t) {
            tensors.draw(t);
            CHECK_EQ(tensors.step(t, threads).nonfinite, -1);
          }
          if (workers == 1) first = tensors.param;
          CHECK_MESSAGE(first == tensors.param, name + " on " + isa + ", " + std::to_string(workers) + " workers");
        }
      }
    });
  });
}

TEST(passes_agree_on_every_instruction_set) {
  on_every_rule([&](RuleId rule, const std::vector<double>& hyper, const std::string& name) {
    std::vector<std::vector<float>> first;
    test::for_each_isa([&](const KernelTable& table) {
      const std::string isa = table.isa;
      Tensors tensors(rule, hyper);
      Sequential sequential;
      for (unsigned t = 1; t <= 3; ++t) tensors.draw(t), tensors.step(t, sequential);
      if (first.empty()) first = tensors.param;
      double worst = 0;
      for (std::size_t s = 0; s < first.size(); ++s)
        for (std::size_t i = 0; i < first[s].size(); ++i)
          worst = std::max(worst, std::fabs(double(first[s][i]) - double(tensors.param[s][i])));
      // Sums are added up in lanes of another number: 2^-20 of a step that is at most of the parameter's size.
      CHECK_MESSAGE(worst <= std::ldexp(1.0, -20), name + " on " + isa + ": " + std::to_string(worst));
    });
  });
}

TEST(a_tensor_whose_update_is_not_finite_stays) {
  test::for_each_isa([](const KernelTable& table) {
    const std::string isa = table.isa;
    on_every_rule([&](RuleId rule, const std::vector<double>& hyper, const std::string& name) {
      for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
        for (const std::size_t where : {std::size_t{1}, std::size_t{2}, std::size_t{5}}) {
          Tensors tensors(rule, hyper), alone(rule, hyper);
          Sequential sequential;
          tensors.draw(1), alone.draw(1);
          tensors.grad[where][tensors.grad[where].size() / 2] = bad;
          const auto before = tensors.param;
          const OptimPlan made = tensors.plan();
          std::vector<double> room(static_cast<std::size_t>(step_workspace(made)) / 8 + 9);
          auto* aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(room.data()) + 63) / 64 * 64);
          const Group group = prepare(rule, hyper, 1);
          const StepResult result = optim::step(made, {&group, 1}, {}, aligned, sequential);
          optim::step(alone.plan(), {&group, 1}, {}, aligned, sequential);
          const std::string at = name + " on " + isa + ", tensor " + std::to_string(where);
          CHECK_MESSAGE(result.nonfinite == Index(where), at + " is not named");
          // By AdamW it is one pass, in which the others of its elements may move.
          const bool one_pass = rule == RuleId::muon && !kShapes[where].matrix;
          for (std::size_t t = 0; t < before.size(); ++t) {
            const auto& wanted = info(rule).shardable == Shardable::whole ? before[t] : alone.param[t];
            if (t != where) CHECK_MESSAGE(tensors.param[t] == wanted, at + " changes another");
            if (t == where && !one_pass) CHECK_MESSAGE(tensors.param[t] == before[t], at + " moves");
            for (const auto& state : tensors.states[t])
              for (const float value : state)
                CHECK_MESSAGE(std::isfinite(value), at + " has a state that is not finite");
          }
        }
      }
    });
  });
}

TEST(what_a_mask_hides_stays_zero_and_counts_nowhere) {
  on_every_rule([&](RuleId rule, const std::vector<double>& hyper, const std::string& name) {
    Tensors zeros(rule, hyper), wild(rule, hyper);
    Sequential sequential;
    for (unsigned t = 1; t <= 3; ++t) {
      for (Tensors* tensors : {&zeros, &wild}) {
        tensors->masked = true;
        tensors->draw(t);
        for (std::size_t s = 0; s < kShapes.size(); ++s) {
          for (std::size_t i = 0; i < tensors->masks[s].size(); ++i) {
            if (tensors->masks[s][i]) continue;
            tensors->grad[s][i] = tensors == &wild ? std::nanf("") : 0.0f;
            if (t == 1) tensors->param[s][i] = 0;
          }
        }
        CHECK_EQ(tensors->step(t, sequential).nonfinite, -1);
      }
    }
    CHECK_MESSAGE(zeros.param == wild.param, name);
    for (std::size_t s = 0; s < kShapes.size(); ++s)
      for (std::size_t i = 0; i < wild.masks[s].size(); ++i)
        if (!wild.masks[s][i]) CHECK(wild.param[s][i] == 0);
  });
}

}  // namespace
}  // namespace athanor::optim

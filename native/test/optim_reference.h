// The update rules of torch.optim straight down in double, and an arena with guards that rules and driver are tried on.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "optim/optimizer.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor::optim {
namespace {

using Options = std::map<std::string, double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> hypers(RuleId rule, const Options& options) {
  std::vector<double> values;
  for (const HyperInfo& h : info(rule).hypers) values.push_back(options.count(h.name) ? options.at(h.name) : h.initial);
  return values;
}

// The formulas of torch.optim 2.13's _single_tensor_* functions, one element, in double.
struct Reference {
  std::string rule;
  Options h;
  double p = 0, a = 0, b = 0, c = 0;  // parameter, three states
  double bound = 0;                   // what f32 may have drifted by

  // A step in f32 rounds the parameter once (2^-24 of it); the update is off by some 8 roundings of its own and by what t steps
  // have left in the states, a rounding each; the variance of centered RMSProp magnifies that by its cancellation.
  void step(double g, int t) {
    const double before = p;
    update(g, t);
    const double magnified = h["centered"] ? 1 + a / std::max(a - b * b, 1e-30) : 1;
    bound += std::ldexp(std::fabs(p) + (8 + t) * magnified * std::fabs(p - before), -24);
  }

  void update(double g, int t) {
    if (h["maximize"]) g = -g;
    if (rule != "adamw") g += h["weight_decay"] * p;
    if (rule == "sgd") sgd(g, t);
    if (rule == "adam" || rule == "adamw") adam(g, t);
    if (rule == "rmsprop") rmsprop(g);
    if (rule == "adagrad") {
      a += g * g;
      p -= h["lr"] / (1 + (t - 1) * h["lr_decay"]) * g / (std::sqrt(a) + h["eps"]);
    }
  }
  void sgd(double g, int t) {
    const double momentum = h["momentum"];
    if (momentum != 0) {
      a = t == 1 ? g : momentum * a + (1 - h["dampening"]) * g;
      g = h["nesterov"] ? g + momentum * a : a;
    }
    p -= h["lr"] * g;
  }
  void adam(double g, int t) {
    if (rule == "adamw") p *= 1 - h["lr"] * h["weight_decay"];
    a += (1 - h["beta1"]) * (g - a);
    b = h["beta2"] * b + (1 - h["beta2"]) * g * g;
    c = std::max(c, b);
    const double denominator = std::sqrt(h["amsgrad"] ? c : b) / std::sqrt(1 - std::pow(h["beta2"], t)) + h["eps"];
    p -= h["lr"] / (1 - std::pow(h["beta1"], t)) * a / denominator;
  }
  void rmsprop(double g) {
    a = h["alpha"] * a + (1 - h["alpha"]) * g * g;
    b += (1 - h["alpha"]) * (g - b);
    const double average = std::sqrt(h["centered"] ? a - b * b : a) + h["eps"];
    if (h["momentum"] > 0) {
      c = h["momentum"] * c + g / average;
      p -= h["lr"] * c;
    } else {
      p -= h["lr"] * g / average;
    }
  }
};

// n parameters as segments with guard elements between them, every state slot the rule asks for.
struct Arena {
  static constexpr float kGuard = -12345.5f;
  std::vector<Index> sizes;
  std::vector<float> arrays[2 + kMaxState];  // param, grad, states
  std::vector<std::uint8_t> mask;
  bool masked = false;

  explicit Arena(std::vector<Index> segment_sizes, unsigned seed = 1) : sizes(std::move(segment_sizes)) {
    Index total = 1;
    for (Index n : sizes) total += n + 1;
    for (auto& array : arrays) array.assign(total, kGuard);
    mask.assign(total, 1);
    std::mt19937 random(seed);
    for (auto& m : mask) m = random() % 3 != 0;
    fill(0, random, 1.0f);
    for (int k = 0; k < kMaxState; ++k) each([&](Index i) { arrays[2 + k][i] = 0; });
  }
  template <class F>
  void each(F f) {
    Index at = 1;
    for (Index n : sizes) {
      for (Index i = 0; i < n; ++i) f(at + i);
      at += n + 1;
    }
  }
  void fill(int array, std::mt19937& random, float scale) {
    std::normal_distribution<float> normal(0, scale);
    each([&](Index i) { arrays[array][i] = normal(random); });
  }
  std::vector<Segment> segments(unsigned state_mask, int groups = 1) {
    std::vector<Segment> list;
    Index at = 1;
    for (Index n : sizes) {
      Segment s;
      s.param = &arrays[0][at];
      s.grad = &arrays[1][at];
      for (int k = 0; k < kMaxState; ++k) s.state[k] = state_mask >> k & 1 ? &arrays[2 + k][at] : nullptr;
      s.mask = masked ? &mask[at] : nullptr;
      s.n = n;
      s.group = int(list.size()) % groups;
      list.push_back(s);
      at += n + 1;
    }
    return list;
  }
  bool guards_hold() {
    Index at = 0;
    bool hold = true;
    for (std::size_t s = 0; s <= sizes.size(); ++s) {
      for (auto& array : arrays) hold = hold && array[at] == kGuard;
      if (s < sizes.size()) at += sizes[s] + 1;
    }
    return hold;
  }
};

template <class F>
void on_every_isa(F f) {
  for (const std::string& isa : available_isas()) {
    CHECK(set_isa(isa));
    f(isa);
  }
  set_isa(available_isas().front());
}

}  // namespace
}  // namespace athanor::optim

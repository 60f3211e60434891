// Attention in plain float64 loops over strided memory, and beside every value the bound on the error of the arithmetic:
// u = 2^-24 times the lengths of the sums and the magnitudes that go into them, carried through softmax; none is tuned.
#pragma once
#include <limits>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace athanor {
namespace {

constexpr double kUnit = 1.0 / (1 << 24);
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSentinel = 12345.5F;

enum class Layout {
  plain,
  fused
};  // [B, H, T, D] each; or q, k, v slices of [B, T, H + 2 Hkv, D] and y as [B, T, H, D]
enum class MaskKind { none, add, keep, keep_broadcast };

struct Case {
  AttentionShape shape;
  Layout layout = Layout::plain;
  MaskKind mask = MaskKind::none;
  unsigned seed = 1;

  std::string name() const {
    const AttentionShape& s = shape;
    std::ostringstream out;
    out << "B" << s.batch << " H" << s.heads << "/" << s.kv_heads << " Tq" << s.queries << " Tk" << s.keys << " D"
        << s.depth;
    if (s.causal) out << " causal " << s.causal_offset;
    out << " layout " << int(layout) << " mask " << int(mask);
    return out.str();
  }
};

// Strided memory with sentinels in every gap and 64 of them before and after.
struct Strided {
  std::vector<float> memory;
  Index batch, head, row;
  Index size[4];  // B, H, T, D

  Strided(Index b, Index h, Index t, Index d, Layout layout, float fill) : size{b, h, t, d} {
    if (layout == Layout::plain) {
      row = d + 3;
      head = t * row + 5;
      batch = h * head;
    } else {
      head = d;
      row = h * d + 7;
      batch = t * row + 1;
    }
    memory.assign(static_cast<std::size_t>(128 + b * batch), fill);
  }
  float* data() { return memory.data() + 64; }
  float& at(Index b, Index h, Index t, Index d) { return data()[b * batch + h * head + t * row + d]; }
  float at(Index b, Index h, Index t, Index d) const { return const_cast<Strided*>(this)->at(b, h, t, d); }
  AttentionView<float> view() { return {data(), batch, head, row}; }
  AttentionView<const float> view() const { return {const_cast<Strided*>(this)->data(), batch, head, row}; }
  template <class F>
  void each(F f) {
    for (Index b = 0; b < size[0]; ++b)
      for (Index h = 0; h < size[1]; ++h)
        for (Index t = 0; t < size[2]; ++t)
          for (Index d = 0; d < size[3]; ++d) f(b, h, t, d);
  }
  // Everything outside the tensor still holds the sentinel.
  bool gaps_untouched() {
    std::vector<bool> inside(memory.size());
    each([&](Index b, Index h, Index t, Index d) {
      inside[static_cast<std::size_t>(64 + b * batch + h * head + t * row + d)] = true;
    });
    for (std::size_t i = 0; i < memory.size(); ++i)
      if (!inside[i] && memory[i] != kSentinel) return false;
    return true;
  }
};

struct Problem {
  Case c;
  Strided q, k, v, dy;  // gaps hold NaN: read into a result, they would show
  std::vector<float> mask_add;
  std::vector<std::uint8_t> mask_keep;
  AttentionMask mask;

  explicit Problem(const Case& of, float spread = 1.0F)
      : c(of),
        q(of.shape.batch, of.shape.heads, of.shape.queries, of.shape.depth, of.layout, kNan),
        k(of.shape.batch, of.shape.kv_heads, of.shape.keys, of.shape.depth, of.layout, kNan),
        v(k),
        dy(q) {
    std::mt19937 random(of.seed);
    std::normal_distribution<float> normal(0.0F, spread);
    for (Strided* x : {&q, &k, &v, &dy})
      x->each([&](Index b, Index h, Index t, Index d) { x->at(b, h, t, d) = normal(random); });
    const AttentionShape& s = c.shape;
    if (c.mask == MaskKind::add) {  // [1, H, Tq, Tk]
      mask_add.resize(static_cast<std::size_t>(s.heads * s.queries * s.keys));
      for (float& x : mask_add) x = random() % 4 == 0 ? -kInf : normal(random);
      mask = {.add = mask_add.data(), .batch = 0, .head = s.queries * s.keys, .row = s.keys};
    } else if (c.mask == MaskKind::keep) {  // [B, 1, Tq, Tk], with the first row of each batch hidden entirely
      mask_keep.resize(static_cast<std::size_t>(s.batch * s.queries * s.keys));
      for (Index i = 0; i < s.batch * s.queries * s.keys; ++i)
        mask_keep[static_cast<std::size_t>(i)] = i / s.keys % s.queries != 0 && random() % 3 != 0;
      mask = {.keep = mask_keep.data(), .batch = s.queries * s.keys, .head = 0, .row = s.keys};
    } else if (c.mask == MaskKind::keep_broadcast) {  // [B, 1, 1, Tk]: padding
      mask_keep.resize(static_cast<std::size_t>(s.batch * s.keys));
      for (std::uint8_t& x : mask_keep) x = random() % 3 != 0 ? 255 : 0;
      mask = {.keep = mask_keep.data(), .batch = s.keys, .head = 0, .row = 0};
    }
  }
  bool hidden(Index b, Index h, Index i, Index j) const {
    if (c.shape.causal && j > i + c.shape.causal_offset) return true;
    return mask.keep && mask.keep[b * mask.batch + h * mask.head + i * mask.row + j] == 0;
  }
  double added(Index b, Index h, Index i, Index j) const {
    return mask.add ? static_cast<double>(mask.add[b * mask.batch + h * mask.head + i * mask.row + j]) : 0.0;
  }
};

// A float64 result and, element by element, the bound on the error of the kernel.
struct Expected {
  std::vector<double> value, bound;
  explicit Expected(Index n) : value(static_cast<std::size_t>(n)), bound(static_cast<std::size_t>(n), 1e-35) {}
  void add(Index at, double x, double error) {
    value[static_cast<std::size_t>(at)] += x;
    bound[static_cast<std::size_t>(at)] += error;
  }
};

struct Reference {
  Expected y, lse, dq, dk, dv;

  explicit Reference(const Problem& p)
      : y(elements(p.q)),
        lse(p.c.shape.batch * p.c.shape.heads * p.c.shape.queries),
        dq(elements(p.q)),
        dk(elements(p.k)),
        dv(elements(p.k)) {
    const AttentionShape& s = p.c.shape;
    for (Index b = 0; b < s.batch; ++b)
      for (Index h = 0; h < s.heads; ++h)
        for (Index i = 0; i < s.queries; ++i) row(p, b, h, h / (s.heads / s.kv_heads), i);
  }
  static Index elements(const Strided& x) { return x.size[0] * x.size[1] * x.size[2] * x.size[3]; }

  void row(const Problem& p, Index b, Index h, Index g, Index i) {
    const AttentionShape& s = p.c.shape;
    const Index n = s.keys, depth = s.depth;
    const Index q_row = (b * s.heads + h) * s.queries + i;
    const auto k_row = [&](Index j) { return (b * s.kv_heads + g) * s.keys + j; };
    const double scale = static_cast<double>(s.scale);
    std::vector<double> logit(static_cast<std::size_t>(n), -INFINITY), weight(static_cast<std::size_t>(n));
    double top = -INFINITY, logit_error = 0, total = 0;
    for (Index j = 0; j < n; ++j) {
      if (p.hidden(b, h, i, j)) continue;
      double sum = 0, size = 0;
      for (Index d = 0; d < depth; ++d) {
        const double product = scale * p.q.at(b, h, i, d) * static_cast<double>(p.k.at(b, g, j, d));
        sum += product;
        size += std::fabs(product);
      }
      const double x = sum + p.added(b, h, i, j);
      logit[static_cast<std::size_t>(j)] = x;
      if (x == -INFINITY) continue;
      top = std::max(top, x);
      logit_error = std::max(logit_error, (static_cast<double>(depth) + 4) * kUnit * size + 4 * kUnit * std::fabs(x));
    }
    if (top == -INFINITY) {
      lse.value[static_cast<std::size_t>(q_row)] = -INFINITY;
      return;
    }
    for (Index j = 0; j < n; ++j) total += std::exp(logit[static_cast<std::size_t>(j)] - top);
    const double log_total = top + std::log(total);
    lse.value[static_cast<std::size_t>(q_row)] = log_total;
    // u for each addition of the sum of n exponentials, 8 u for the exponential, the logarithm and the quotient
    const double sum_error = (static_cast<double>(n) + 8) * kUnit;
    lse.bound[static_cast<std::size_t>(q_row)] = logit_error + sum_error + 2 * kUnit * std::fabs(log_total);
    const double weight_error = 2 * logit_error + sum_error + 4 * kUnit * std::fabs(log_total);
    for (Index j = 0; j < n; ++j)
      weight[static_cast<std::size_t>(j)] = std::exp(logit[static_cast<std::size_t>(j)] - log_total);

    std::vector<double> out(static_cast<std::size_t>(depth)), out_size(static_cast<std::size_t>(depth));
    double delta = 0, delta_size = 0;
    for (Index d = 0; d < depth; ++d) {
      double sum = 0, size = 0;
      for (Index j = 0; j < n; ++j) {
        const double w = weight[static_cast<std::size_t>(j)] * static_cast<double>(p.v.at(b, g, j, d));
        sum += w;
        size += std::fabs(w);
      }
      y.add(q_row * depth + d, sum, (weight_error + sum_error) * size);
      delta += sum * static_cast<double>(p.dy.at(b, h, i, d));
      delta_size += size * std::fabs(static_cast<double>(p.dy.at(b, h, i, d)));
    }
    const double length = static_cast<double>(depth) + 8;
    for (Index j = 0; j < n; ++j) {
      const double w = weight[static_cast<std::size_t>(j)];
      if (w == 0) continue;
      double dp = 0, dp_size = 0;
      for (Index d = 0; d < depth; ++d) {
        const double dyd = static_cast<double>(p.dy.at(b, h, i, d));
        dp += dyd * static_cast<double>(p.v.at(b, g, j, d));
        dp_size += std::fabs(dyd * static_cast<double>(p.v.at(b, g, j, d)));
        const double rows = static_cast<double>(s.queries * (s.heads / s.kv_heads)) + 4;
        dv.add(k_row(j) * depth + d, w * dyd, (weight_error + rows * kUnit) * w * std::fabs(dyd));
      }
      const double ds = w * (dp - delta);
      const double size = w * (dp_size + delta_size);
      const double error = 2 * weight_error + sum_error + length * kUnit;
      for (Index d = 0; d < depth; ++d) {
        const double kd = scale * static_cast<double>(p.k.at(b, g, j, d));
        const double qd = scale * static_cast<double>(p.q.at(b, h, i, d));
        const double rows = static_cast<double>(s.queries * (s.heads / s.kv_heads)) + 4;
        dq.add(q_row * depth + d, ds * kd, (error + (static_cast<double>(n) + 4) * kUnit) * size * std::fabs(kd));
        dk.add(k_row(j) * depth + d, ds * qd, (error + rows * kUnit) * size * std::fabs(qd));
      }
    }
  }
};

}  // namespace
}  // namespace athanor

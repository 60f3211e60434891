// Attention against plain float64 loops. The bounds are those of the arithmetic: u = 2^-24 times the lengths of the sums and
// the magnitudes that go into them, carried through softmax; none is tuned.
// Long because the float64 reference carries, beside every value, the bound on its error.
#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "kernels/dispatch.h"
#include "test/test.h"
#include "test/threads.h"

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

// Exactly `bytes`, aligned to 64, full of NaN, with a guard behind.
class Workspace {
 public:
  explicit Workspace(Index bytes) : bytes_(bytes), memory_(static_cast<std::size_t>(bytes) + 192, std::uint8_t{0xff}) {
    begin_ = memory_.data() + (64 - reinterpret_cast<std::uintptr_t>(memory_.data()) % 64);
  }
  void* data() { return begin_; }
  bool guard_untouched() const {
    return std::all_of(begin_ + bytes_, begin_ + bytes_ + 64, [](std::uint8_t x) { return x == 0xff; });
  }

 private:
  Index bytes_;
  std::vector<std::uint8_t> memory_;
  std::uint8_t* begin_;
};

struct Outputs {
  Strided y, dq, dk, dv;
  std::vector<float> lse;
  Outputs(const Problem& p)
      : y(p.c.shape.batch, p.c.shape.heads, p.c.shape.queries, p.c.shape.depth, p.c.layout, kSentinel),
        dq(y),
        dk(p.c.shape.batch, p.c.shape.kv_heads, p.c.shape.keys, p.c.shape.depth, p.c.layout, kSentinel),
        dv(dk),
        lse(static_cast<std::size_t>(p.c.shape.batch * p.c.shape.heads * p.c.shape.queries + 1), kSentinel) {}
};

Outputs run(const Problem& p, Parallel& parallel) {
  const AttentionKernels& kernels = kernel_table().attention;
  Outputs out(p);
  const Strided &q = p.q, &k = p.k, &v = p.v, &dy = p.dy;
  const Strided& y = out.y;
  Workspace forward(kernels.forward_workspace(p.c.shape, parallel.workers()));
  kernels.forward({.shape = p.c.shape,
                   .q = q.view(),
                   .k = k.view(),
                   .v = v.view(),
                   .mask = p.mask,
                   .y = out.y.view(),
                   .lse = out.lse.data()},
                  forward.data(), parallel);
  Workspace backward(kernels.backward_workspace(p.c.shape, parallel.workers()));
  kernels.backward({.shape = p.c.shape,
                    .q = q.view(),
                    .k = k.view(),
                    .v = v.view(),
                    .mask = p.mask,
                    .y = y.view(),
                    .dy = dy.view(),
                    .lse = out.lse.data(),
                    .dq = out.dq.view(),
                    .dk = out.dk.view(),
                    .dv = out.dv.view()},
                   backward.data(), parallel);
  CHECK_MESSAGE(forward.guard_untouched() && backward.guard_untouched(), p.c.name() + ": writes past the workspace");
  CHECK_MESSAGE(out.y.gaps_untouched() && out.dq.gaps_untouched() && out.dk.gaps_untouched() && out.dv.gaps_untouched(),
                p.c.name() + ": writes outside an output");
  CHECK_MESSAGE(out.lse.back() == kSentinel, p.c.name() + ": writes past lse");
  return out;
}

void compare(const Case& c, const char* what, Strided& got, const Expected& expected) {
  Index i = 0;
  got.each([&](Index b, Index h, Index t, Index d) {
    const double x = static_cast<double>(got.at(b, h, t, d));
    const double want = expected.value[static_cast<std::size_t>(i)];
    const double bound = expected.bound[static_cast<std::size_t>(i++)];
    CHECK_MESSAGE(std::fabs(x - want) <= bound, c.name() + " " + what + " [" + std::to_string(b) + "," +
                                                    std::to_string(h) + "," + std::to_string(t) + "," +
                                                    std::to_string(d) + "] got " + std::to_string(x) + ", expected " +
                                                    std::to_string(want) + " ± " + std::to_string(bound));
  });
}

void check(const Case& c, float spread = 1.0F) {
  Problem p(c, spread);
  const Reference reference(p);
  Sequential sequential;
  Outputs out = run(p, sequential);
  compare(c, "y", out.y, reference.y);
  compare(c, "dq", out.dq, reference.dq);
  compare(c, "dk", out.dk, reference.dk);
  compare(c, "dv", out.dv, reference.dv);
  for (std::size_t i = 0; i + 1 < out.lse.size(); ++i) {
    const double want = reference.lse.value[i];
    if (want == -INFINITY) {
      CHECK_MESSAGE(out.lse[i] == -kInf, c.name() + ": lse of a row that sees nothing");
    } else {
      CHECK_NEAR(out.lse[i], want, reference.lse.bound[i]);
    }
  }
}

AttentionShape shape(Index b, Index h, Index g, Index tq, Index tk, Index d, bool causal = false, Index offset = 0) {
  return {.batch = b,
          .heads = h,
          .kv_heads = g,
          .queries = tq,
          .keys = tk,
          .depth = d,
          .scale = 1.0F / std::sqrt(static_cast<float>(std::max<Index>(d, 1))),
          .causal = causal,
          .causal_offset = offset};
}

TEST(attention_small_and_odd_sizes) {
  for (Index d : {1, 3, 16, 33})
    for (Index t : {1, 2, 7, 31, 65})
      for (bool causal : {false, true}) check({.shape = shape(2, 2, 2, t, t, d, causal)});
}

TEST(attention_lengths_beyond_a_block) {
  check({.shape = shape(1, 1, 1, 130, 300, 20)});
  check({.shape = shape(1, 2, 1, 300, 257, 8, true)});
  check({.shape = shape(2, 1, 1, 5, 261, 64, true, 256)});  // new queries at the end of a cache
  check({.shape = shape(1, 1, 1, 40, 9, 64, true)});
}

TEST(attention_of_the_small_gpt) { check({.shape = shape(1, 2, 2, 128, 128, 64, true), .layout = Layout::fused}); }

TEST(attention_rows_before_the_first_key_are_zero) { check({.shape = shape(1, 2, 2, 70, 50, 12, true, -20)}); }

TEST(attention_grouped_queries) {
  check({.shape = shape(2, 6, 2, 17, 23, 10), .layout = Layout::fused});
  check({.shape = shape(1, 4, 1, 50, 50, 32, true), .layout = Layout::plain});
}

TEST(attention_masks) {
  for (MaskKind mask : {MaskKind::add, MaskKind::keep, MaskKind::keep_broadcast}) {
    for (bool causal : {false, true}) {
      check({.shape = shape(2, 2, 2, 37, 45, 9, causal), .mask = mask});
      check({.shape = shape(1, 2, 1, 40, 150, 16, causal, 110), .layout = Layout::fused, .mask = mask});
    }
  }
}

TEST(attention_random_shapes) {
  std::mt19937 random(7);
  for (unsigned i = 0; i < 40; ++i) {
    const Index g = 1 + random() % 2, h = g * (1 + random() % 3);
    const Index tq = 1 + random() % 80, tk = 1 + random() % 160, d = 1 + random() % 72;
    check({.shape = shape(1 + random() % 2, h, g, tq, tk, d, random() % 2 == 0, static_cast<Index>(random() % 30) - 10),
           .layout = random() % 2 == 0 ? Layout::fused : Layout::plain,
           .mask = static_cast<MaskKind>(random() % 4),
           .seed = i});
  }
}

TEST(attention_empty_sizes) {
  check({.shape = shape(0, 2, 2, 3, 3, 4)});
  check({.shape = shape(1, 2, 2, 0, 3, 4)});
  check({.shape = shape(1, 2, 2, 3, 0, 4)});
  check({.shape = shape(1, 2, 2, 3, 3, 0)});
  check({.shape = shape(1, 1, 1, 300, 0, 4, true)});
}

// Powers of two make the logits exact: ±2^20 apart, where exp of anything but the difference to the top overflows.
TEST(attention_huge_logits) {
  const Index t = 70, depth = 8;
  Problem p(
      {.shape = {.batch = 1, .heads = 1, .kv_heads = 1, .queries = t, .keys = t, .depth = depth, .scale = 1024.0F}});
  p.q.each([&](Index, Index, Index i, Index d) { p.q.at(0, 0, i, d) = d == i % depth ? 1024.0F : 0.0F; });
  p.k.each(
      [&](Index, Index, Index j, Index d) { p.k.at(0, 0, j, d) = d == j % depth ? (j < depth ? 2.0F : 1.0F) : -1.0F; });
  for (Strided* x : {&p.v, &p.dy})  // small integers: the sums in dP and delta are exact too
    x->each(
        [&](Index, Index, Index i, Index d) { x->at(0, 0, i, d) = static_cast<float>((7 * i + 3 * d) % 11) - 5.0F; });
  Sequential sequential;
  Outputs out = run(p, sequential);
  // Query i picks exactly key i % depth, whose logit is 2^21.
  out.y.each([&](Index, Index, Index i, Index d) { CHECK_EQ(out.y.at(0, 0, i, d), p.v.at(0, 0, i % depth, d)); });
  for (Index i = 0; i < t; ++i) CHECK_EQ(out.lse[static_cast<std::size_t>(i)], 2097152.0F);
  out.dq.each([&](Index, Index, Index i, Index d) { CHECK_EQ(out.dq.at(0, 0, i, d), 0.0F); });
  check({.shape = shape(1, 1, 1, 40, 200, 16)}, 6.0F);
}

TEST(attention_nan_stays_in_its_row) {
  Problem p({.shape = shape(1, 1, 1, 40, 200, 16)});
  p.q.at(0, 0, 3, 5) = kNan;
  Sequential sequential;
  Outputs out = run(p, sequential);
  out.y.each([&](Index, Index, Index i, Index d) { CHECK_EQ(std::isnan(out.y.at(0, 0, i, d)), i == 3); });
}

TEST(attention_is_the_same_bits_for_any_number_of_workers) {
  for (const Case& c : {Case{.shape = shape(1, 2, 1, 300, 400, 24, true), .layout = Layout::fused},
                        Case{.shape = shape(4, 4, 4, 60, 60, 40), .mask = MaskKind::add}}) {
    Problem p(c);
    test::Threads one(1), two(2), seven(7);
    const Outputs a = run(p, one), b = run(p, two), d = run(p, seven);
    const auto same = [](const std::vector<float>& x, const std::vector<float>& z) {
      return x.size() == z.size() && std::memcmp(x.data(), z.data(), x.size() * sizeof(float)) == 0;
    };
    for (const Outputs* other : {&b, &d}) {
      CHECK(same(a.y.memory, other->y.memory));
      CHECK(same(a.lse, other->lse));
      CHECK(same(a.dq.memory, other->dq.memory));
      CHECK(same(a.dk.memory, other->dk.memory));
      CHECK(same(a.dv.memory, other->dv.memory));
    }
  }
}

// The float64 gradient that the kernel is compared with is itself compared with differences of the float64 forward.
TEST(attention_reference_gradient_is_that_of_its_forward) {
  const Case c{.shape = shape(1, 2, 1, 5, 6, 3, true, 1), .mask = MaskKind::add};
  Problem p(c);
  const Reference reference(p);
  const auto objective = [&] {
    const Reference moved(p);
    double sum = 0;
    Index i = 0;
    p.dy.each([&](Index b, Index h, Index t, Index d) {
      sum += moved.y.value[static_cast<std::size_t>(i++)] * static_cast<double>(p.dy.at(b, h, t, d));
    });
    return sum;
  };
  const std::pair<Strided*, const Expected*> inputs[] = {
      {&p.q, &reference.dq}, {&p.k, &reference.dk}, {&p.v, &reference.dv}};
  for (const auto& [input, its_gradient] : inputs) {
    Strided* x = input;
    const Expected* gradient = its_gradient;
    Index i = 0;
    x->each([&](Index b, Index h, Index t, Index d) {
      float& element = x->at(b, h, t, d);
      const float kept = element;
      element = kept + 0x1p-10F;
      const double high = static_cast<double>(element), above = objective();
      element = kept - 0x1p-10F;
      const double low = static_cast<double>(element), below = objective();
      element = kept;
      // Third derivatives are of order 10 here; the step is 2^-10.
      CHECK_NEAR((above - below) / (high - low), gradient->value[static_cast<std::size_t>(i++)], 1e-5);
    });
  }
}

}  // namespace
}  // namespace athanor

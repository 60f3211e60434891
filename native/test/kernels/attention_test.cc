// Attention against plain float64 loops (attention_reference.h).
#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "kernels/dispatch.h"
#include "test/kernels/attention_reference.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor {
namespace {

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

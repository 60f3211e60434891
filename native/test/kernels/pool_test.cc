// Pooling against its definition in double precision, on every instruction set, for one, two and seven workers (the same bits),
// with outputs full of NaN and sentinels around them.
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "test/test.h"
#include "test/threads.h"

using athanor::Index;
using athanor::PoolKernels;
using athanor::PoolShape;
using athanor::test::Threads;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr Index kGuard = 32;

template <class T>
struct Output {
  std::vector<T> memory;
  Index size;
  explicit Output(Index n) : memory(n + 2 * kGuard, T(77)), size(n) {
    for (Index i = 0; i < n; ++i)
      data()[i] = std::numeric_limits<T>::has_quiet_NaN ? std::numeric_limits<T>::quiet_NaN() : T(99);
  }
  T* data() { return memory.data() + kGuard; }
  bool intact() const {
    for (Index i = 0; i < kGuard; ++i)
      if (memory[i] != T(77) || memory[kGuard + size + i] != T(77)) return false;
    return true;
  }
  bool same(Output& other) { return std::memcmp(data(), other.data(), size * sizeof(T)) == 0; }
};

std::vector<float> random(Index n, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> v(n);
  for (float& x : v) x = float(int(generator() % 41) - 20) / 8;  // few values: many ties, and sums without rounding
  return v;
}

std::string describe(const PoolShape& s) {
  const auto t = [](Index i) { return std::to_string(i) + " "; };
  return "n c h w " + t(s.n) + t(s.c) + t(s.h) + t(s.w) + "k " + t(s.kh) + t(s.kw) + "stride " + t(s.stride_h) +
         t(s.stride_w) + "pad " + t(s.pad_top) + t(s.pad_bottom) + t(s.pad_left) + t(s.pad_right) + "dilation " +
         t(s.dilation_h) + t(s.dilation_w);
}

// Calls body(output, input, tap) for every tap inside the image, in the order of outputs, then taps.
template <class Body>
void each_tap(const PoolShape& s, const Body& body) {
  const Index OH = s.out_h(), OW = s.out_w();
  for (Index p = 0; p < s.n * s.c; ++p)
    for (Index oh = 0; oh < OH; ++oh)
      for (Index ow = 0; ow < OW; ++ow)
        for (Index a = 0; a < s.kh; ++a)
          for (Index b = 0; b < s.kw; ++b) {
            const Index ih = oh * s.stride_h - s.pad_top + a * s.dilation_h,
                        iw = ow * s.stride_w - s.pad_left + b * s.dilation_w;
            if (ih >= 0 && ih < s.h && iw >= 0 && iw < s.w)
              body((p * OH + oh) * OW + ow, (p * s.h + ih) * s.w + iw, a * s.kw + b);
          }
}

struct Reference {
  std::vector<float> y;
  std::vector<Index> tap, source, count;
  std::vector<double> sum;
  Reference(const PoolShape& s, const std::vector<float>& x)
      : y(s.n * s.c * s.out_h() * s.out_w(), -kInfinity),
        tap(y.size(), -1),
        source(y.size(), -1),
        count(y.size()),
        sum(y.size()) {
    each_tap(s, [&](Index o, Index i, Index t) {
      ++count[o], sum[o] += x[i];
      if (tap[o] < 0 || (!std::isnan(y[o]) && (std::isnan(x[i]) || x[i] > y[o])))
        y[o] = x[i], tap[o] = t, source[o] = i;
    });
  }
};

bool equal(float got, float want) { return got == want || (std::isnan(got) && std::isnan(want)); }

void add_row(const void*, float* c, Index row, Index col, Index cols, Index batch) {
  for (Index i = 0; i < cols; ++i) c[i] += float(row) + 64 * float(batch) + 0.125f * float((col + i) % 8);
}

struct Results {
  Output<float> y, marked, dx, dx32, marked_dx, average, average_dx;
  Output<std::uint8_t> u8;
  Output<std::int32_t> i32;
  Results(Index in, Index out)
      : y(out), marked(out), dx(in), dx32(in), marked_dx(in), average(out), average_dx(in), u8(out), i32(out) {}
};

Results run(const PoolShape& s, bool count_padding, const std::vector<float>& x, const std::vector<float>& dy,
            int workers) {
  const PoolKernels& kernels = athanor::kernel_table().pool;
  Results r(Index(x.size()), Index(dy.size()));
  Threads threads(workers);
  kernels.max({.shape = s, .x = x.data(), .y = r.marked.data(), .taps = {}, .epilogue = add_row}, threads);
  kernels.max({.shape = s, .x = x.data(), .y = r.y.data(), .taps = {.i32 = r.i32.data()}}, threads);
  kernels.max_backward({.shape = s, .dy = dy.data(), .taps = {.i32 = r.i32.data()}, .dx = r.dx32.data()}, threads);
  kernels.max_backward(
      {.shape = s, .dy = dy.data(), .taps = {.i32 = r.i32.data()}, .dx = r.marked_dx.data(), .epilogue = add_row},
      threads);
  if (s.taps_fit_u8()) {
    Output<float> again(r.y.size);
    kernels.max({.shape = s, .x = x.data(), .y = again.data(), .taps = {.u8 = r.u8.data()}}, threads);
    CHECK(again.same(r.y) && again.intact());
    kernels.max_backward({.shape = s, .dy = dy.data(), .taps = {.u8 = r.u8.data()}, .dx = r.dx.data()}, threads);
    CHECK(r.dx.same(r.dx32));
  }
  kernels.average({.shape = s, .count_padding = count_padding, .x = x.data(), .y = r.average.data()}, threads);
  kernels.average_backward({.shape = s, .count_padding = count_padding, .dy = dy.data(), .dx = r.average_dx.data()},
                           threads);
  for (Output<float>* output : {&r.y, &r.marked, &r.dx, &r.dx32, &r.marked_dx, &r.average, &r.average_dx})
    CHECK(output->intact());
  CHECK(r.u8.intact() && r.i32.intact());
  return r;
}

void check_shape(const PoolShape& s, const std::vector<float>& x, bool count_padding) {
  const auto dy = random(s.n * s.c * s.out_h() * s.out_w(), 9);
  const Reference want(s, x);
  std::vector<double> dx(x.size()), average_dx(x.size()), average_size(x.size());
  const auto share = [&](Index o) { return 1.0 / double(count_padding ? s.kh * s.kw : want.count[o]); };
  for (std::size_t o = 0; o < dy.size(); ++o)
    if (want.source[o] >= 0) dx[want.source[o]] += dy[o];
  each_tap(s, [&](Index o, Index i, Index) {
    average_dx[i] += dy[o] * share(o), average_size[i] += std::fabs(dy[o] * share(o));
  });
  const Index in = s.h * s.w, out = s.out_h() * s.out_w();
  const auto extra = [&](Index i, Index plane) {
    return float(i / plane % s.c) + 64 * float(i / plane / s.c) + 0.125f * float(i % plane % 8);
  };
  for (const std::string& isa : athanor::available_isas()) {
    athanor::set_isa(isa);
    Results one = run(s, count_padding, x, dy, 1);
    bool max_right = true, marks_right = true, taps_right = true, dx_right = true, average_right = true;
    for (Index o = 0; o < Index(dy.size()); ++o) {
      max_right = max_right && equal(one.y.data()[o], want.y[o]);
      marks_right = marks_right && equal(one.marked.data()[o], one.y.data()[o] + extra(o, out));
      taps_right = taps_right && one.i32.data()[o] == want.tap[o];
      if (s.taps_fit_u8()) taps_right = taps_right && one.u8.data()[o] == std::uint8_t(want.tap[o]);
      const double mean = want.count[o] == 0 ? 0 : want.sum[o] * share(o);
      // Sums of eighths are exact; the quotient is one rounded reciprocal and one rounded product.
      average_right = average_right && (std::fabs(one.average.data()[o] - mean) <= std::fabs(mean) * 2.5e-7 ||
                                        std::isnan(mean) || std::isinf(mean));
    }
    for (Index i = 0; i < Index(x.size()); ++i) {
      dx_right = dx_right && one.dx32.data()[i] == float(dx[i]);
      marks_right = marks_right && one.marked_dx.data()[i] == one.dx32.data()[i] + extra(i, in);
      average_right = average_right && std::fabs(one.average_dx.data()[i] - average_dx[i]) <=
                                           average_size[i] * double(s.kh * s.kw + 3) * 6e-8;
    }
    const std::string where = isa + " " + describe(s);
    CHECK_MESSAGE(max_right, where + ": a maximum is wrong");
    CHECK_MESSAGE(taps_right, where + ": a tap is wrong");
    CHECK_MESSAGE(dx_right, where + ": the gradient of the maximum is wrong");
    CHECK_MESSAGE(average_right, where + ": an average or its gradient is wrong");
    CHECK_MESSAGE(marks_right, where + ": an epilogue ran with wrong coordinates");
    for (int workers : {2, 7}) {
      Results many = run(s, count_padding, x, dy, workers);
      CHECK(many.y.same(one.y) && many.i32.same(one.i32) && many.dx32.same(one.dx32) &&
            many.average.same(one.average) && many.average_dx.same(one.average_dx) && many.marked.same(one.marked) &&
            many.marked_dx.same(one.marked_dx));
    }
  }
}

void check_shape(const PoolShape& s) {
  const auto x = random(s.n * s.c * s.h * s.w, 4);
  check_shape(s, x, true);
  check_shape(s, x, false);
}

PoolShape square(Index n, Index c, Index h, Index w, Index k, Index stride, Index pad = 0) {
  PoolShape s;
  s.n = n, s.c = c, s.h = h, s.w = w, s.kh = s.kw = k, s.stride_h = s.stride_w = stride;
  s.pad_top = s.pad_bottom = s.pad_left = s.pad_right = pad;
  return s;
}

}  // namespace

TEST(pool_two_by_two) {
  check_shape(square(2, 3, 24, 24, 2, 2));
  check_shape(square(1, 5, 7, 9, 2, 2));
  check_shape(square(3, 70, 13, 67, 2, 2));
  check_shape(square(1, 1, 2, 2, 2, 2));
  check_shape(square(2, 2, 5, 37, 2, 2, 1));
}

TEST(pool_three_by_three) {
  check_shape(square(2, 3, 56, 56, 3, 2, 1));
  check_shape(square(2, 3, 15, 33, 3, 1, 1));
  check_shape(square(1, 2, 31, 40, 3, 3));
}

TEST(pool_whole_plane_needs_wide_taps) { check_shape(square(2, 3, 28, 28, 28, 1)); }

TEST(pool_empty_batch) {
  check_shape(square(0, 3, 8, 8, 2, 2));
  check_shape(square(2, 0, 8, 8, 2, 2));
}

TEST(pool_uneven_shapes) {
  std::mt19937 generator(3);
  const auto pick = [&](int low, int high) { return Index(low + int(generator() % unsigned(high - low + 1))); };
  for (int tried = 0; tried < 150;) {
    PoolShape s;
    s.n = pick(1, 2), s.c = pick(1, 3), s.h = pick(1, 13), s.w = pick(1, 45), s.kh = pick(1, 4), s.kw = pick(1, 4);
    s.stride_h = pick(1, 3), s.stride_w = pick(1, 4), s.dilation_h = pick(1, 2), s.dilation_w = pick(1, 3);
    s.pad_top = pick(0, 2), s.pad_bottom = pick(0, 4), s.pad_left = pick(0, 2), s.pad_right = pick(0, 5);
    if (s.h + s.pad_top + s.pad_bottom < s.dilation_h * (s.kh - 1) + 1) continue;
    if (s.w + s.pad_left + s.pad_right < s.dilation_w * (s.kw - 1) + 1) continue;
    check_shape(s);
    ++tried;
  }
}

TEST(pool_max_takes_the_first_nan_and_keeps_infinities) {
  for (const PoolShape& s : {square(1, 2, 12, 50, 2, 2), square(1, 2, 12, 50, 3, 2, 1), square(1, 2, 12, 50, 3, 1)}) {
    auto x = random(s.c * s.h * s.w, 6);
    for (std::size_t i = 0; i < x.size(); i += 7) x[i] = -kInfinity;
    for (std::size_t i = 0; i < 60; ++i) x[i] = -kInfinity;
    for (std::size_t i = 300; i < x.size(); i += 23) x[i] = kNaN;
    for (std::size_t i = 311; i < x.size(); i += 37) x[i] = kInfinity;
    check_shape(s, x, true);
  }
}

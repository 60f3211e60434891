// Convolution against the seven nested loops of its definition in double precision, on every instruction set, for one, two and
// seven workers (the same bits), with workspace and outputs full of NaN and sentinels around them.
// Long because the three passes share one reference, one driver and the shapes.
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "test/test.h"
#include "test/threads.h"

using athanor::ConvBackwardDataArgs;
using athanor::ConvBackwardWeightsArgs;
using athanor::ConvForwardArgs;
using athanor::ConvKernels;
using athanor::ConvShape;
using athanor::Index;
using athanor::test::Threads;

namespace {

constexpr float kSentinel = 12345.5f;
constexpr Index kGuard = 32;

// An output between sentinels, NaN before it is written.
struct Output {
  std::vector<float> memory;
  Index size;
  explicit Output(Index n) : memory(n + 2 * kGuard, kSentinel), size(n) {
    for (Index i = 0; i < n; ++i) data()[i] = std::numeric_limits<float>::quiet_NaN();
  }
  float* data() { return memory.data() + kGuard; }
  bool intact() const {
    for (Index i = 0; i < kGuard; ++i)
      if (memory[i] != kSentinel || memory[kGuard + size + i] != kSentinel) return false;
    return true;
  }
};

// A 64-byte aligned workspace of NaNs with a sentinel behind it.
struct Workspace {
  std::vector<std::uint8_t> memory;
  Index size;
  explicit Workspace(Index n) : memory(n + 192, 0xff), size(n) {
    for (int i = 0; i < 64; ++i) data()[size + i] = 0x5a;
  }
  std::uint8_t* data() { return memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64; }
  bool intact() {
    for (int i = 0; i < 64; ++i)
      if (data()[size + i] != 0x5a) return false;
    return true;
  }
};

std::vector<float> random(Index n, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> v(n);
  for (float& x : v) x = uniform(generator);
  return v;
}

// Values and the sums of absolute products that bound their error.
struct Reference {
  std::vector<double> y, y_size, dx, dx_size, dw, dw_size, db, db_size;
};

Reference reference(const ConvShape& s, const std::vector<float>& x, const std::vector<float>& w,
                    const std::vector<float>& dy) {
  const Index OH = s.out_h(), OW = s.out_w(), in = s.c_in / s.groups, out = s.c_out / s.groups;
  Reference r;
  r.y.resize(dy.size()), r.y_size = r.y;
  r.dx.resize(x.size()), r.dx_size = r.dx;
  r.dw.resize(w.size()), r.dw_size = r.dw;
  r.db.resize(s.c_out), r.db_size = r.db;
  for (Index n = 0; n < s.n; ++n)
    for (Index co = 0; co < s.c_out; ++co)
      for (Index oh = 0; oh < OH; ++oh)
        for (Index ow = 0; ow < OW; ++ow) {
          const Index o = ((n * s.c_out + co) * OH + oh) * OW + ow;
          r.db[co] += dy[o], r.db_size[co] += std::fabs(dy[o]);
          for (Index ci = 0; ci < in; ++ci)
            for (Index a = 0; a < s.kh; ++a)
              for (Index b = 0; b < s.kw; ++b) {
                const Index ih = oh * s.stride_h - s.pad_top + a * s.dilation_h;
                const Index iw = ow * s.stride_w - s.pad_left + b * s.dilation_w;
                if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
                const Index i = ((n * s.c_in + co / out * in + ci) * s.h + ih) * s.w + iw;
                const Index k = ((co * in + ci) * s.kh + a) * s.kw + b;
                const double xi = x[i], wk = w[k], d = dy[o];
                r.y[o] += xi * wk, r.y_size[o] += std::fabs(xi * wk);
                r.dx[i] += d * wk, r.dx_size[i] += std::fabs(d * wk);
                r.dw[k] += d * xi, r.dw_size[k] += std::fabs(d * xi);
              }
        }
  return r;
}

// |got - want| <= gamma_K * sum |a||b|, with two roundings a term (multiplication and addition).
void compare(const char* what, const std::string& where, const float* got, const std::vector<double>& want,
             const std::vector<double>& size, double terms) {
  const double unit = (2 * terms + 2) * std::ldexp(1.0, -24);
  for (std::size_t i = 0; i < want.size(); ++i)
    if (!(std::fabs(got[i] - want[i]) <= unit * size[i] + 1e-30)) {
      CHECK_MESSAGE(false, where + ": " + what + "[" + std::to_string(i) + "] is " + std::to_string(got[i]) + ", not " +
                               std::to_string(want[i]));
      return;
    }
}

std::string describe(const ConvShape& s) {
  const auto t = [](Index i) { return std::to_string(i) + " "; };
  return "n c h w " + t(s.n) + t(s.c_in) + t(s.h) + t(s.w) + "out k " + t(s.c_out) + t(s.kh) + t(s.kw) + "stride " +
         t(s.stride_h) + t(s.stride_w) + "pad " + t(s.pad_top) + t(s.pad_bottom) + t(s.pad_left) + t(s.pad_right) +
         "dilation " + t(s.dilation_h) + t(s.dilation_w) + "groups " + t(s.groups);
}

// 2c + row + 3 batch + col / 4: wrong if a segment comes twice, never, or with other coordinates.
void mark(const void* self, float* c, Index row, Index col, Index cols, Index batch) {
  CHECK(self == &kSentinel);
  for (Index i = 0; i < cols; ++i) c[i] = 2 * c[i] + float(row) + 3 * float(batch) + 0.25f * float(col + i);
}

// What one run of the three passes gave.
struct Results {
  Output y, marked, packed, dx, marked_dx, dw, db;
  explicit Results(const ConvShape& s)
      : y(s.n * s.c_out * s.out_h() * s.out_w()),
        marked(y.size),
        packed(y.size),
        dx(s.n * s.c_in * s.h * s.w),
        marked_dx(dx.size),
        dw(s.c_out * (s.c_in / s.groups) * s.kh * s.kw),
        db(s.c_out) {}
};

Results run(const ConvKernels& kernels, const ConvShape& s, const std::vector<float>& x, const std::vector<float>& w,
            const std::vector<float>& dy, int workers) {
  Results r(s);
  Threads threads(workers);
  const auto forward = [&](float* y, const float* weights, bool packed, bool marked) {
    ConvForwardArgs args;
    args.shape = s, args.x = x.data(), args.w = weights, args.w_packed = packed, args.y = y;
    if (marked) args.epilogue = mark, args.epilogue_self = &kSentinel;
    Workspace space(kernels.forward_workspace(args, workers));
    kernels.forward(args, threads, space.data());
    CHECK(space.intact());
  };
  forward(r.y.data(), w.data(), false, false);
  forward(r.marked.data(), w.data(), false, true);
  Workspace packed(4 * kernels.packed_size(s));
  kernels.pack_forward(s, w.data(), reinterpret_cast<float*>(packed.data()), threads);
  CHECK(packed.intact());
  forward(r.packed.data(), reinterpret_cast<float*>(packed.data()), true, false);

  for (float* dx : {r.dx.data(), r.marked_dx.data()}) {
    ConvBackwardDataArgs args;
    args.shape = s, args.dy = dy.data(), args.w = w.data(), args.dx = dx;
    if (dx == r.marked_dx.data()) args.epilogue = mark, args.epilogue_self = &kSentinel;
    Workspace space(kernels.backward_data_workspace(args, workers));
    kernels.backward_data(args, threads, space.data());
    CHECK(space.intact());
  }
  ConvBackwardWeightsArgs args;
  args.shape = s, args.x = x.data(), args.dy = dy.data(), args.dw = r.dw.data(), args.db = r.db.data();
  Workspace space(kernels.backward_weights_workspace(args, workers));
  kernels.backward_weights(args, threads, space.data());
  CHECK(space.intact());
  for (Output* output : {&r.y, &r.marked, &r.packed, &r.dx, &r.marked_dx, &r.dw, &r.db}) CHECK(output->intact());
  return r;
}

bool same(Output& a, Output& b) { return std::memcmp(a.data(), b.data(), a.size * sizeof(float)) == 0; }

void check_marked(const std::string& where, Output& plain, Output& marked, Index channels, Index pixels) {
  for (Index i = 0; i < plain.size; ++i) {
    const Index col = i % pixels, row = i / pixels % channels, batch = i / pixels / channels;
    const float want = 2 * plain.data()[i] + float(row) + 3 * float(batch) + 0.25f * float(col);
    if (marked.data()[i] == want) continue;
    CHECK_MESSAGE(false, where + ": epilogue at " + std::to_string(i) + " gave " + std::to_string(marked.data()[i]) +
                             ", not " + std::to_string(want));
    return;
  }
}

void check_shape(const ConvShape& s) {
  const auto x = random(s.n * s.c_in * s.h * s.w, 1), w = random(s.c_out * (s.c_in / s.groups) * s.kh * s.kw, 2);
  const auto dy = random(s.n * s.c_out * s.out_h() * s.out_w(), 3);
  const Reference want = reference(s, x, w, dy);
  const double pixels = double(s.out_h() * s.out_w()), taps = double(s.kh * s.kw);
  for (const std::string& isa : athanor::available_isas()) {
    athanor::set_isa(isa);
    const ConvKernels& kernels = athanor::kernel_table().conv;
    const std::string where = isa + " " + describe(s);
    Results one = run(kernels, s, x, w, dy, 1);
    compare("y", where, one.y.data(), want.y, want.y_size, double(s.c_in / s.groups) * taps);
    compare("dx", where, one.dx.data(), want.dx, want.dx_size, double(s.c_out / s.groups) * taps);
    compare("dw", where, one.dw.data(), want.dw, want.dw_size, double(s.n) * pixels);
    compare("db", where, one.db.data(), want.db, want.db_size, double(s.n) * pixels);
    CHECK_MESSAGE(same(one.y, one.packed), where + ": packed weights change the bits");
    check_marked(where, one.y, one.marked, s.c_out, Index(pixels));
    check_marked(where, one.dx, one.marked_dx, s.c_in, s.h * s.w);
    for (int workers : {2, 7}) {
      Results many = run(kernels, s, x, w, dy, workers);
      const bool equal = same(one.y, many.y) && same(one.dx, many.dx) && same(one.dw, many.dw) &&
                         same(one.db, many.db) && same(one.marked, many.marked) &&
                         same(one.marked_dx, many.marked_dx) && same(one.packed, many.packed);
      CHECK_MESSAGE(equal, where + ": " + std::to_string(workers) + " workers give other bits");
    }
  }
}

ConvShape square(Index n, Index c_in, Index hw, Index c_out, Index k, Index stride = 1, Index pad = 0) {
  ConvShape s;
  s.n = n, s.c_in = c_in, s.h = s.w = hw, s.c_out = c_out, s.kh = s.kw = k, s.stride_h = s.stride_w = stride;
  s.pad_top = s.pad_bottom = s.pad_left = s.pad_right = pad;
  return s;
}

}  // namespace

TEST(conv_layers_of_the_digit_network) {
  check_shape(square(3, 1, 28, 32, 3));
  check_shape(square(2, 32, 26, 64, 3));
  check_shape(square(2, 1, 19, 13, 3, 1, 1));  // rows of pixels, of many widths
  check_shape(square(1, 3, 21, 6, 3));
  check_shape(square(1, 2, 45, 9, 4, 1, 2));
  check_shape(square(1, 1, 90, 5, 5));
}

TEST(conv_residual_network_layers) {
  check_shape(square(1, 16, 20, 24, 3, 1, 1));
  check_shape(square(2, 24, 14, 40, 1));
  check_shape(square(2, 24, 15, 33, 1, 2));
  check_shape(square(1, 3, 37, 16, 7, 2, 3));
  check_shape(square(5, 48, 7, 20, 3, 1, 1));
  check_shape(square(2, 20, 9, 12, 3, 2, 1));
}

TEST(conv_deep_sums_are_blocked) { check_shape(square(1, 75, 6, 70, 3, 1, 1)); }

TEST(conv_wide_rows_are_cut) {
  ConvShape s = square(1, 3, 3, 5, 3, 1, 1);
  s.w = 700;
  check_shape(s);
  s.stride_w = 2, s.w = 1203;
  check_shape(s);
}

TEST(conv_many_small_images_share_a_chunk) {
  check_shape(square(40, 6, 4, 9, 3));
  check_shape(square(67, 5, 1, 17, 1));
}

TEST(conv_sizes_of_one) {
  check_shape(square(1, 1, 1, 1, 1));
  check_shape(square(1, 1, 3, 1, 3));
  check_shape(square(1, 1, 1, 2, 3, 1, 1));
}

TEST(conv_uneven_strides_paddings_and_dilations) {
  std::mt19937 generator(11);
  const auto pick = [&](int low, int high) { return Index(low + int(generator() % unsigned(high - low + 1))); };
  for (int tried = 0; tried < 60;) {
    ConvShape s;
    s.groups = pick(1, 3) == 3 ? pick(2, 3) : 1;
    s.n = pick(1, 4), s.c_in = s.groups * pick(1, 9), s.c_out = s.groups * pick(1, 19), s.h = pick(1, 17),
    s.w = pick(1, 19);
    s.kh = pick(1, 4), s.kw = pick(1, 5), s.stride_h = pick(1, 3), s.stride_w = pick(1, 4);
    s.dilation_h = pick(1, 3), s.dilation_w = pick(1, 2);
    s.pad_top = pick(0, 4), s.pad_bottom = pick(0, 3), s.pad_left = pick(0, 3), s.pad_right = pick(0, 5);
    if (s.h + s.pad_top + s.pad_bottom < s.dilation_h * (s.kh - 1) + 1) continue;
    if (s.w + s.pad_left + s.pad_right < s.dilation_w * (s.kw - 1) + 1) continue;
    check_shape(s);
    ++tried;
  }
}

TEST(conv_depthwise) {
  std::mt19937 generator(5);
  const auto pick = [&](int low, int high) { return Index(low + int(generator() % unsigned(high - low + 1))); };
  for (int tried = 0; tried < 30;) {
    ConvShape s;
    s.groups = pick(2, 9), s.c_in = s.groups, s.c_out = s.groups * pick(1, 5);  // 5 a group leaves the depthwise path
    s.n = pick(1, 3), s.h = pick(1, 20), s.w = pick(1, 80), s.kh = pick(1, 5), s.kw = pick(1, 7);
    s.stride_h = pick(1, 3), s.stride_w = pick(1, 3), s.dilation_h = pick(1, 2), s.dilation_w = pick(1, 3);
    s.pad_top = pick(0, 3), s.pad_bottom = pick(0, 3), s.pad_left = pick(0, 4), s.pad_right = pick(0, 4);
    if (s.h + s.pad_top + s.pad_bottom < s.dilation_h * (s.kh - 1) + 1) continue;
    if (s.w + s.pad_left + s.pad_right < s.dilation_w * (s.kw - 1) + 1) continue;
    check_shape(s);
    ++tried;
  }
}

TEST(conv_empty_sides) {
  check_shape(square(0, 3, 5, 4, 3));
  check_shape(square(2, 0, 5, 4, 3));
  check_shape(square(2, 3, 5, 0, 3));
  ConvShape s = square(0, 4, 5, 4, 3);
  s.groups = 4;
  check_shape(s);
}

TEST(conv_weight_gradients_accumulate) {
  for (Index groups : {1, 6}) {
    ConvShape s = square(3, 6, 9, 12, 3, 1, 1);
    s.groups = groups;
    const auto x = random(s.n * s.c_in * s.h * s.w, 1), dy = random(s.n * s.c_out * s.out_h() * s.out_w(), 3);
    for (const std::string& isa : athanor::available_isas()) {
      athanor::set_isa(isa);
      const ConvKernels& kernels = athanor::kernel_table().conv;
      athanor::Sequential here;
      std::vector<float> dw(s.c_out * s.c_in / groups * 9), db(s.c_out);
      ConvBackwardWeightsArgs args;
      args.shape = s, args.x = x.data(), args.dy = dy.data(), args.dw = dw.data(), args.db = db.data();
      Workspace space(kernels.backward_weights_workspace(args, 1));
      kernels.backward_weights(args, here, space.data());
      const auto once = dw, once_db = db;
      args.accumulate = true;
      kernels.backward_weights(args, here, space.data());
      for (std::size_t i = 0; i < dw.size(); ++i) CHECK_EQ(dw[i], once[i] + once[i]);
      for (std::size_t i = 0; i < db.size(); ++i) CHECK_EQ(db[i], once_db[i] + once_db[i]);
    }
  }
}

TEST(conv_infinities_stay_where_they_belong) {
  // A pixel that is not finite reaches the outputs whose windows hold it, and no other.
  for (Index groups : {1, 4}) {
    ConvShape s = square(1, 4, 9, 4, 3);
    s.groups = groups;
    auto x = random(s.c_in * 81, 1);
    const auto w = random(s.c_out * s.c_in / groups * 9, 2);
    x[4 * 9 + 8] = std::numeric_limits<float>::infinity();
    for (const std::string& isa : athanor::available_isas()) {
      athanor::set_isa(isa);
      const ConvKernels& kernels = athanor::kernel_table().conv;
      athanor::Sequential here;
      std::vector<float> y(4 * 49), dw(w.size());
      ConvForwardArgs args;
      args.shape = s, args.x = x.data(), args.w = w.data(), args.y = y.data();
      Workspace space(kernels.forward_workspace(args, 1));
      kernels.forward(args, here, space.data());
      for (Index i = 0; i < 49; ++i) CHECK_EQ(std::isfinite(y[i]), !(i / 7 >= 2 && i / 7 <= 4 && i % 7 == 6));
    }
  }
}

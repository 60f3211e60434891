// Convolutions (three products) and pooling (both kinds, both ways) on the emulated device beside direct sums in double: strides,
// asymmetric padding, dilation, groups, depthwise, one pixel, no batch.
#include <cmath>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

ConvShape shape(Index n, Index ci, Index h, Index w, Index co, Index kh, Index kw, Index stride, Index pad,
                Index dilation, Index groups) {
  ConvShape s;
  s.n = n, s.c_in = ci, s.h = h, s.w = w, s.c_out = co, s.kh = kh, s.kw = kw;
  s.stride_h = stride, s.stride_w = stride > 1 ? stride - 1 : 1;
  s.pad_top = pad, s.pad_bottom = pad + 1, s.pad_left = pad, s.pad_right = pad;
  s.dilation_h = dilation, s.dilation_w = dilation, s.groups = groups;
  return s;
}

const std::vector<ConvShape>& shapes() {
  static const std::vector<ConvShape> all = {
      shape(2, 3, 9, 8, 5, 3, 3, 1, 1, 1, 1),   shape(1, 4, 12, 11, 6, 3, 2, 3, 2, 2, 2),
      shape(2, 6, 7, 7, 6, 3, 3, 2, 1, 1, 6),   shape(1, 16, 5, 5, 70, 1, 1, 1, 0, 1, 1),
      shape(3, 1, 20, 21, 4, 5, 5, 1, 0, 1, 1), shape(0, 2, 5, 5, 3, 3, 3, 1, 1, 1, 1),
      shape(2, 20, 6, 6, 20, 3, 3, 1, 1, 1, 2)};
  return all;
}

// Calls f(y offset, x offset, w offset) for every product of the convolution.
template <class F>
void walk(const ConvShape& s, F f) {
  const Index oh = s.out_h(), ow = s.out_w(), gi = s.c_in / s.groups, go = s.c_out / s.groups;
  for (Index n = 0; n < s.n; ++n)
    for (Index co = 0; co < s.c_out; ++co)
      for (Index r = 0; r < oh; ++r)
        for (Index c = 0; c < ow; ++c)
          for (Index ci = 0; ci < gi; ++ci)
            for (Index kh = 0; kh < s.kh; ++kh)
              for (Index kw = 0; kw < s.kw; ++kw) {
                const Index h = r * s.stride_h - s.pad_top + kh * s.dilation_h,
                            w = c * s.stride_w - s.pad_left + kw * s.dilation_w;
                if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
                f(static_cast<std::size_t>(((n * s.c_out + co) * oh + r) * ow + c),
                  static_cast<std::size_t>(((n * s.c_in + co / go * gi + ci) * s.h + h) * s.w + w),
                  static_cast<std::size_t>(((co * gi + ci) * s.kh + kh) * s.kw + kw));
              }
}

}  // namespace

TEST(three_products_of_a_convolution) {
  for (const ConvShape& s : shapes()) {
    const auto inputs = static_cast<std::size_t>(s.n * s.c_in * s.h * s.w),
               outputs = static_cast<std::size_t>(s.n * s.c_out * s.out_h() * s.out_w());
    const auto weights = static_cast<std::size_t>(s.c_out * (s.c_in / s.groups) * s.kh * s.kw);
    const std::vector<float> x = numbers(inputs, 1), w = numbers(weights, 2), dy = numbers(outputs, 3);
    std::vector<double> y(outputs), dx(inputs), dw(weights), db(static_cast<std::size_t>(s.c_out));
    walk(s, [&](std::size_t o, std::size_t i, std::size_t k) {
      y[o] += static_cast<double>(x[i]) * static_cast<double>(w[k]);
      dx[i] += static_cast<double>(dy[o]) * static_cast<double>(w[k]);
      dw[k] += static_cast<double>(dy[o]) * static_cast<double>(x[i]);
    });
    const std::size_t plane = static_cast<std::size_t>(s.out_h() * s.out_w());
    for (std::size_t o = 0; o < outputs; ++o)
      db[o / plane % static_cast<std::size_t>(s.c_out)] += static_cast<double>(dy[o]);
    in_all_orders([&](const char* order) {
      const DeviceArray<float> gx(x), gw(w), gdy(dy), gy(outputs), gdx(inputs), gdw(weights),
          gdb(static_cast<std::size_t>(s.c_out));
      device::Conv forward;
      forward.args.shape = s, forward.args.x = gx.data(), forward.args.w = gw.data(), forward.args.y = gy.data();
      CHECK(launch(plugin().launch.conv, forward, "conv"));
      agree(gy.values(), y, 0, 3e-6, std::string("y, ") + order);
      device::ConvGradInput input;
      input.args.shape = s, input.args.dy = gdy.data(), input.args.w = gw.data(), input.args.dx = gdx.data();
      CHECK(launch(plugin().launch.conv_grad_input, input, "conv_grad_input"));
      agree(gdx.values(), dx, 0, 5e-6, std::string("dx, ") + order);
      device::ConvGradWeight weight;
      weight.args.shape = s, weight.args.x = gx.data(), weight.args.dy = gdy.data(), weight.args.dw = gdw.data(),
      weight.args.db = gdb.data();
      CHECK(launch(plugin().launch.conv_grad_weight, weight, "conv_grad_weight"));
      // A chain of K sums rounds K times, by half an ulp of what it holds: sqrt(K) of those in the mean, twice that as the bound.
      const double chain = 0x1p-23 * std::sqrt(static_cast<double>(plane) * static_cast<double>(s.n));
      agree(gdw.values(), dw, chain, 1e-5, std::string("dw, ") + order);
      agree(gdb.values(), db, 0, 1e-5, std::string("db, ") + order);
    });
  }
}

TEST(a_convolution_with_bias_and_relu) {
  const ConvShape s = shapes()[0];
  const std::vector<float> x = numbers(2 * 3 * 9 * 8, 1), w = numbers(5 * 3 * 9, 2), bias = numbers(5, 3);
  const auto plane = static_cast<std::size_t>(s.out_h() * s.out_w()), outputs = plane * 10;
  std::vector<double> y(outputs);
  walk(s, [&](std::size_t o, std::size_t i, std::size_t k) {
    y[o] += static_cast<double>(x[i]) * static_cast<double>(w[k]);
  });
  for (std::size_t o = 0; o < outputs; ++o) y[o] = std::fmax(0, y[o] + static_cast<double>(bias[o / plane % 5]));
  const DeviceArray<float> gx(x), gw(w), gb(bias), gy(outputs);
  const EwInstruction code[] = {{EwOp::load, 0, 0, 0, 0, 0},
                                {EwOp::load, 1, 0, 0, 0, 1},
                                {EwOp::add_relu, 0, 0, 1},
                                {EwOp::store, 0, 0, 0, 0, 2}};
  const DType types[] = {DType::f32, DType::f32, DType::f32};
  device::Conv args;
  args.args.shape = s, args.args.x = gx.data(), args.args.w = gw.data();
  args.epilogue.raw = 0;
  EwArgs& e = args.epilogue.args;
  e.program = {DType::f32, 4, code, 3, types};
  e.rank = 3, e.shape[0] = 2, e.shape[1] = 5, e.shape[2] = static_cast<Index>(plane);
  const Index strides[3][3] = {{5 * e.shape[2], e.shape[2], 1}, {0, 1, 0}, {5 * e.shape[2], e.shape[2], 1}};
  float* data[] = {nullptr, gb.data(), gy.data()};
  for (int i = 0; i < 3; ++i) {
    e.operands[i].data = data[i];
    std::copy(strides[i], strides[i] + 3, e.operands[i].strides);
  }
  CHECK(launch(plugin().launch.conv, args, "conv"));
  agree(gy.values(), y, 0, 3e-6, "conv with epilogue");
}

TEST(pooling_both_ways) {
  for (const ConvShape& c : {shape(2, 3, 9, 8, 3, 3, 3, 2, 1, 1, 1), shape(1, 2, 10, 10, 2, 2, 2, 2, 0, 1, 1),
                             shape(1, 1, 11, 9, 1, 3, 2, 1, 1, 2, 1), shape(0, 2, 5, 5, 2, 2, 2, 1, 0, 1, 1)}) {
    PoolShape s;
    s.n = c.n, s.c = c.c_in, s.h = c.h, s.w = c.w, s.kh = c.kh, s.kw = c.kw, s.stride_h = c.stride_h,
    s.stride_w = c.stride_w;
    s.pad_top = c.pad_top, s.pad_bottom = c.pad_bottom, s.pad_left = c.pad_left, s.pad_right = c.pad_right,
    s.dilation_h = c.dilation_h, s.dilation_w = c.dilation_w;
    const Index oh = s.out_h(), ow = s.out_w();
    const auto inputs = static_cast<std::size_t>(s.n * s.c * s.h * s.w),
               outputs = static_cast<std::size_t>(s.n * s.c * oh * ow);
    std::vector<float> x = numbers(inputs, 1);
    for (float& value : x) value = std::round(value * 8);  // ties
    if (inputs > 60) x[40] = NAN;
    const std::vector<float> dy = numbers(outputs, 2);
    for (const int mode : {0, 1, 2}) {  // max, average, average without padding
      std::vector<double> y(outputs), dx(inputs);
      std::vector<std::int32_t> taps(outputs, -1);
      for (std::size_t o = 0; o < outputs; ++o) {
        const Index at = static_cast<Index>(o), col = at % ow, row = at / ow % oh, plane = at / ow / oh;
        double best = -INFINITY, sum = 0;
        int inside = 0;
        std::size_t from = 0;
        std::vector<std::size_t> all;
        for (Index kh = 0; kh < s.kh; ++kh)
          for (Index kw = 0; kw < s.kw; ++kw) {
            const Index h = row * s.stride_h - s.pad_top + kh * s.dilation_h,
                        w = col * s.stride_w - s.pad_left + kw * s.dilation_w;
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
            const auto i = static_cast<std::size_t>((plane * s.h + h) * s.w + w);
            const double v = static_cast<double>(x[i]);
            all.push_back(i);
            ++inside;
            sum += v;
            if (!std::isnan(best) && (std::isnan(v) || v > best || taps[o] < 0))
              best = v, from = i, taps[o] = static_cast<std::int32_t>(kh * s.kw + kw);
          }
        const double by = mode == 1 ? static_cast<double>(s.kh * s.kw) : inside;
        y[o] = mode == 0 ? best : by == 0 ? 0 : sum / by;
        if (mode == 0 && taps[o] >= 0) dx[from] += static_cast<double>(dy[o]);
        if (mode != 0)
          for (const std::size_t i : all) dx[i] += static_cast<double>(dy[o]) / by;
      }
      in_all_orders([&](const char* order) {
        const DeviceArray<float> gx(x), gdy(dy), gy(outputs), gdx(inputs);
        const DeviceArray<std::int32_t> gt(outputs);
        const PoolTaps kept{nullptr, mode == 0 ? gt.data() : nullptr};
        CHECK(launch(plugin().launch.pool, device::Pool{mode == 0, s, mode == 1, gx.data(), gy.data(), kept, {}},
                     "pool"));
        agree(gy.values(), y, 0, 2e-6, std::string("y, ") + order);
        if (mode == 0) CHECK_MESSAGE(gt.values() == taps, std::string("taps, ") + order);
        CHECK(launch(plugin().launch.pool_grad,
                     device::PoolGrad{mode == 0, s, mode == 1, gdy.data(), kept, gdx.data(), {}}, "pool_grad"));
        agree(gdx.values(), dx, 0, 2e-6, std::string("dx, ") + order);
      });
    }
  }
}

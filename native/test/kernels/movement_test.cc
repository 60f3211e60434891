// Copies, joins, pads, fills and ranges against loops over plain coordinates: random shapes, permutations, steps, broadcasts,
// sizes 0 and 1, every element size.
#include "test/kernels/movement_cases.h"

namespace athanor::kernels {
namespace {

void check_copy(const std::string& what, const Shape& shape, const Shape& y_stride, const Shape& x_stride, Index size) {
  // Negative strides: the array begins where they lead to.
  Index low[2] = {0, 0}, high[2] = {0, 0};
  for (std::size_t d = 0; d < shape.size(); ++d)
    for (int k : {0, 1}) {
      const Index reach = std::max<Index>(shape[d] - 1, 0) * (k ? x_stride[d] : y_stride[d]);
      (reach < 0 ? low[k] : high[k]) += reach;
    }
  const Bytes x = random_bytes((high[1] - low[1] + 1) * size);
  Output expected((high[0] - low[0] + 1) * size), start = expected;
  every(shape, [&](const Shape& at) {
    std::copy_n(&x[(dot(at, x_stride) - low[1]) * size], size, expected.data() + (dot(at, y_stride) - low[0]) * size);
  });
  compare(what, expected, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
    StridedCopy a{
        static_cast<std::uint8_t*>(y) - low[0] * size, x.data() - low[1] * size, int(shape.size()), size, {}, {}, {}};
    put(a.shape, shape), put(a.y_stride, y_stride), put(a.x_stride, x_stride);
    kernels.copy(a, parallel);
  });
}

TEST(copy_of_random_views) {
  for (int round = 0; round < 300; ++round) {
    const int rank = int(pick(0, 5));
    Shape shape(rank), order(rank), x_stride(rank), y_stride(rank);
    for (Index& s : shape) s = pick(0, 9) == 0 ? 0 : pick(1, 9);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_bits);
    Index step = pick(1, 2);
    for (int d = rank - 1; d >= 0; --d) {  // x: dimensions in random order, some reversed, some broadcast
      const Index e = order[d];
      x_stride[e] = pick(0, 5) == 0 ? 0 : pick(0, 5) == 0 ? -step : step;
      step *= std::max<Index>(1, shape[e]) * pick(1, 2);
    }
    std::shuffle(order.begin(), order.end(), random_bits);
    step = pick(0, 3) == 0 ? 2 : 1;
    for (int d = rank - 1; d >= 0; --d) {  // y: packed or with gaps, in an order of its own half of the time
      const Index e = round % 2 ? order[d] : d;
      y_stride[e] = pick(0, 9) == 0 ? -step : step;
      step *= std::max<Index>(1, shape[e]) + (pick(0, 3) == 0);
    }
    check_copy("copy " + std::to_string(round), shape, y_stride, x_stride, Index{1} << round % 4);
  }
}

TEST(copy_transposes_large_matrices) {
  for (const Index size : {1, 2, 4, 8}) {
    check_copy("transpose", {517, 300}, {300, 1}, {1, 517}, size);
    check_copy("transpose of a batch", {3, 129, 65}, {129 * 65, 65, 1}, {129 * 65, 1, 129}, size);
    check_copy("transpose of slices", {2, 64, 64}, {64 * 70, 70, 1}, {64 * 80, 1, 80}, size);
    check_copy("heads", {2, 4, 33, 16}, {4 * 33 * 16, 33 * 16, 16, 1}, {33 * 64, 16, 64, 1}, size);
    check_copy("NCHW to NHWC", {2, 19, 21, 24}, {19 * 21 * 24, 21 * 24, 24, 1}, {24 * 19 * 21, 21, 1, 19 * 21}, size);
  }
  check_copy("one long row", {300001}, {1}, {1}, 4);
  check_copy("broadcast of a row", {400, 333}, {333, 1}, {0, 1}, 4);
  check_copy("broadcast of a column", {400, 333}, {333, 1}, {1, 0}, 4);
}

TEST(concat_is_a_copy_for_each_input) {
  const Bytes a = random_bytes(3 * 5 * 4), b = random_bytes(3 * 2 * 4);
  Output expected(3 * 7 * 4), start = expected;
  for (int r = 0; r < 3; ++r) {
    std::copy_n(&a[r * 20], 20, expected.data() + r * 28);
    std::copy_n(&b[r * 8], 8, expected.data() + r * 28 + 20);
  }
  compare("concat", expected, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
    kernels.copy({y, a.data(), 2, 4, {3, 5}, {7, 1}, {5, 1}}, parallel);
    kernels.copy({static_cast<std::uint8_t*>(y) + 20, b.data(), 2, 4, {3, 2}, {7, 1}, {2, 1}}, parallel);
  });
}

TEST(pad_of_random_views) {
  for (int round = 0; round < 120; ++round) {
    const int rank = round < 2 ? round : int(pick(1, 4));
    const Index size = Index{1} << round % 4;
    Shape shape(rank), low(rank), high(rank), out(rank);
    for (int d = 0; d < rank; ++d) {
      shape[d] = round < 100 ? pick(pick(0, 9) != 0, 7) : pick(20, 40);
      low[d] = pick(0, 2), high[d] = pick(0, 3);
      out[d] = low[d] + shape[d] + high[d];
    }
    Shape x_stride = packed(shape);
    for (Index& s : x_stride) s *= 1 + round % 3;  // every second or third element of an array
    const Bytes x = random_bytes((count(shape) * 3 + 1) * size), value = random_bytes(8);
    Output expected(count(out) * size), start = expected;
    Index i = 0;
    every(out, [&](const Shape& at) {
      Shape inner = at;
      bool inside = true;
      for (int d = 0; d < rank; ++d) inner[d] -= low[d], inside &= inner[d] >= 0 && inner[d] < shape[d];
      std::copy_n(inside ? &x[dot(inner, x_stride) * size] : value.data(), size, expected.data() + i++ * size);
    });
    compare("pad " + std::to_string(round), expected, start,
            [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
              Pad a{y, x.data(), value.data(), rank, size, {}, {}, {}, {}};
              put(a.x_shape, shape), put(a.x_stride, x_stride), put(a.low, low), put(a.high, high);
              kernels.pad(a, parallel);
            });
  }
}

TEST(fill_and_range) {
  for (const Index n : {0, 1, 7, 1000, 300000}) {
    for (const Index size : {1, 2, 4, 8}) {
      const Bytes value = random_bytes(8);
      Output expected(n * size), start = expected;
      for (Index i = 0; i < n * size; ++i) expected.data()[i] = value[i % size];
      compare("fill", expected, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
        kernels.fill({y, value.data(), n, size}, parallel);
      });
    }
    Output f32(n * 4), f64(n * 8), i32(n * 4), start4 = f32, start8 = f64;
    for (Index i = 0; i < n; ++i) {
      reinterpret_cast<float*>(f32.data())[i] = float(0.5 - 0.1 * double(i));
      reinterpret_cast<double*>(f64.data())[i] = 0.5 - 0.1 * double(i);
      reinterpret_cast<std::int32_t*>(i32.data())[i] = std::int32_t(7 - 3 * i);
    }
    const auto range = [&](const Output& expected, const Output& start, DType dtype, double first, double step) {
      compare("range", expected, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
        kernels.range({y, dtype, n, first, step}, parallel);
      });
    };
    range(f32, start4, DType::f32, 0.5, -0.1);
    range(f64, start8, DType::f64, 0.5, -0.1);
    range(i32, start4, DType::i32, 7, -3);
  }
}

}  // namespace
}  // namespace athanor::kernels

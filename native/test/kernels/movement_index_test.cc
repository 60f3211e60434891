// Movement by index against plain loops: rows of tables, gather and scatter along any axis, one-hot rows, batches of a data set;
// indices out of range and their report; the order of an epoch.
#include "kernels/movement/permutation.h"
#include "test/kernels/movement_cases.h"

namespace athanor::kernels {
namespace {

// Indices in [0, limit), a few of them bad where `spoil`; the report that belongs to them.
template <class I>
std::vector<I> random_index(Index n, Index limit, bool spoil, IndexReport* report) {
  std::vector<I> index(n);
  for (Index i = 0; i < n; ++i) {
    index[i] = I(limit > 0 ? random_bits() % limit : 0);
    if (spoil && random_bits() % 50 == 0) index[i] = random_bits() % 2 ? I(limit) : I(-1);
    if (Index(index[i]) < 0 || Index(index[i]) >= limit)
      if (report->bad++ == 0) report->first = i;
  }
  return index;
}

void check_report(const IndexReport& got, const IndexReport& expected) {
  CHECK_EQ(got.bad, expected.bad);
  CHECK_EQ(got.first, expected.first);
}

template <class I>
constexpr DType index_dtype = sizeof(I) == 1 ? DType::u8 : DType::i32;

template <class I>
void check_rows(Index rows, Index limit, Index D, bool spoil) {
  IndexReport report;
  const std::vector<I> index = random_index<I>(rows, limit, spoil, &report);
  std::vector<float> table(limit * D), dy(rows * D), sums(limit * D);
  std::normal_distribution<float> normal;
  for (float& v : table) v = normal(random_bits);
  for (float& v : dy) v = normal(random_bits);

  Output gathered(rows * D * 4), start = gathered;
  for (Index r = 0; r < rows; ++r)
    for (Index d = 0; d < D; ++d)
      reinterpret_cast<float*>(gathered.data())[r * D + d] =
          Index(index[r]) >= 0 && index[r] < limit ? table[index[r] * D + d] : 0;
  compare("gather_rows", gathered, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
    check_report(kernels.gather_rows({y, table.data(), index.data(), index_dtype<I>, rows, limit, D * 4}, parallel),
                 report);
  });

  for (const bool accumulate : {false, true}) {
    Output expected(limit * D * 4), before = expected;
    std::vector<double> wide(table.begin(), table.end());
    for (Index i = 0; i < limit * D; ++i) sums[i] = accumulate ? table[i] : 0, wide[i] = accumulate ? wide[i] : 0;
    for (Index r = 0; r < rows; ++r)
      for (Index d = 0; d < D && Index(index[r]) >= 0 && index[r] < limit; ++d) {
        sums[index[r] * D + d] += dy[r * D + d];  // in f32 and in the order of r, as promised
        wide[index[r] * D + d] += dy[r * D + d];
      }
    store(before, table), store(expected, sums);
    compare("scatter_add_rows", expected, before, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
      check_report(kernels.scatter_add_rows(
                       {y, dy.data(), index.data(), DType::f32, index_dtype<I>, rows, limit, D, accumulate}, parallel),
                   report);
    });
    Output expected64(limit * D * 8), before64 = expected64;
    const std::vector<double> table64(table.begin(), table.end()), dy64(dy.begin(), dy.end());
    store(before64, table64), store(expected64, wide);
    compare("scatter_add_rows f64", expected64, before64,
            [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
              kernels.scatter_add_rows(
                  {y, dy64.data(), index.data(), DType::f64, index_dtype<I>, rows, limit, D, accumulate}, parallel);
            });
  }
}

TEST(embedding_rows_and_their_gradient) {
  for (const bool spoil : {false, true}) {
    check_rows<std::int32_t>(100, 37, 24, spoil);
    check_rows<std::int32_t>(3000, 11, 130, spoil);
    check_rows<std::uint8_t>(500, 200, 65, spoil);
    check_rows<std::uint8_t>(500, 256, 3, spoil);
    check_rows<std::int32_t>(9000, 5, 1, spoil);
    check_rows<std::int32_t>(0, 5, 8, spoil);
    check_rows<std::int32_t>(3, 4, 0, spoil);
  }
}

TEST(an_empty_table_reports_every_index) {
  const std::int32_t index[3] = {0, 1, 2};
  float y[6] = {1, 1, 1, 1, 1, 1};
  Sequential sequential;
  const IndexReport report = kernel_table().movement.gather_rows({y, nullptr, index, DType::i32, 3, 0, 8}, sequential);
  check_report(report, {3, 0});
  for (const float v : y) CHECK_EQ(v, 0.0f);
}

template <class T, class I>
void check_gather(int round, DType dtype) {
  const int rank = int(pick(1, 4)), axis = int(pick(0, rank - 1));
  Shape full(rank), shape(rank);  // the strided array, and the index array inside it
  for (int d = 0; d < rank; ++d) {
    full[d] = pick(1, round % 10 == 0 ? 30 : 6);
    shape[d] = d == axis ? pick(0, 9) : pick(1, full[d]);
  }
  const Index n = count(shape), size = sizeof(T);
  IndexReport report;
  const std::vector<I> index = random_index<I>(n, full[axis], round % 3 == 0, &report);
  const Shape stride = packed(full);
  std::vector<T> x(count(full)), terms(n);
  for (T& v : x) v = T(pick(-1000, 1000)) / T(7);
  for (T& v : terms) v = T(pick(-1000, 1000)) / T(7);

  Output gathered(n * size), start = gathered;
  std::vector<T> sums = x;
  Index i = 0;
  every(shape, [&](const Shape& at) {
    const Index a = index[i];
    Shape there = at;
    there[axis] = a;
    const bool good = a >= 0 && a < full[axis];
    reinterpret_cast<T*>(gathered.data())[i] = good ? x[dot(there, stride)] : T(0);
    if (good) sums[dot(there, stride)] += terms[i];
    ++i;
  });
  compare("gather " + std::to_string(round), gathered, start,
          [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
            Gather a{y, x.data(), index.data(), index_dtype<I>, size, rank, axis, full[axis], {}, {}};
            put(a.shape, shape), put(a.x_stride, stride);
            check_report(kernels.gather(a, parallel), report);
          });
  Output expected(count(full) * size), before = expected;
  store(before, x), store(expected, sums);
  compare("scatter_add " + std::to_string(round), expected, before,
          [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
            ScatterAdd a{y, terms.data(), index.data(), dtype, index_dtype<I>, rank, axis, full[axis], {}, {}};
            put(a.shape, shape), put(a.y_stride, stride);
            check_report(kernels.scatter_add(a, parallel), report);
          });
}

TEST(gather_and_scatter_add_along_any_axis) {
  for (int round = 0; round < 60; ++round) {
    check_gather<float, std::int32_t>(round, DType::f32);
    check_gather<double, std::uint8_t>(round, DType::f64);
    check_gather<std::int32_t, std::int32_t>(round, DType::i32);
  }
}

// Large enough to be cut: along the leading dimension, and in columns where the axis leads.
TEST(large_scatter_adds_sum_in_order) {
  for (const int axis : {0, 1}) {
    const Shape shape = {axis == 0 ? 1200 : 700, 300}, full = {axis == 0 ? 9 : 700, axis == 0 ? 300 : 5};
    IndexReport report;
    const auto index = random_index<std::int32_t>(count(shape), full[axis], true, &report);
    std::vector<float> x(count(shape)), sums(count(full));
    std::normal_distribution<float> normal;
    for (float& v : x) v = normal(random_bits);
    Output expected(count(full) * 4), before = expected;
    std::fill_n(before.data(), count(full) * 4, 0);
    for (Index i = 0; i < count(shape); ++i) {
      const Index r = i / shape[1], c = i % shape[1], a = index[i];
      if (a >= 0 && a < full[axis]) sums[axis == 0 ? a * 300 + c : r * 5 + a] += x[i];
    }
    store(expected, sums);
    compare("large scatter_add", expected, before, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
      check_report(kernels.scatter_add({y,
                                        x.data(),
                                        index.data(),
                                        DType::f32,
                                        DType::i32,
                                        2,
                                        axis,
                                        full[axis],
                                        {shape[0], shape[1]},
                                        {full[1], 1}},
                                       parallel),
                   report);
    });
  }
}

TEST(one_hot_rows) {
  for (const Index rows : {0, 1, 33, 40000}) {
    IndexReport report;
    const auto index = random_index<std::uint8_t>(rows, 10, true, &report);
    const auto check = [&]<class T>(DType dtype, T on, T off) {
      Output expected(rows * 10 * Index(sizeof(T))), start = expected;
      for (Index i = 0; i < rows * 10; ++i)
        reinterpret_cast<T*>(expected.data())[i] = index[i / 10] == i % 10 ? on : off;
      compare("one_hot", expected, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
        check_report(kernels.one_hot({y, dtype, index.data(), DType::u8, rows, 10, double(on), double(off)}, parallel),
                     report);
      });
    };
    check(DType::f32, 0.9f, 0.01f);
    check(DType::f64, 0.9, 0.01);
    check(DType::i32, 5, -2);
    check(DType::u8, std::uint8_t{1}, std::uint8_t{0});
    check(DType::boolean, std::uint8_t{1}, std::uint8_t{0});
  }
}

TEST(batches_for_the_loader) {
  const Index samples = 50;
  for (const Index row : {0, 1, 7, 784, 3001}) {
    const Bytes pixels = random_bytes(samples * row);
    std::vector<float> values(samples * row);
    for (float& v : values) v = float(pick(-100, 100)) / 3;
    IndexReport report;
    const auto index = random_index<std::int32_t>(130, samples, true, &report);
    const float scale = 1.0f / 255, shift = -0.5f;
    Output scaled(130 * row * 4), copied = scaled, raw(130 * row), start4 = scaled, start1 = raw;
    for (Index r = 0; r < 130; ++r)
      for (Index i = 0; i < row; ++i) {
        const bool good = index[r] >= 0 && index[r] < samples;
        const Index from = good ? index[r] * row + i : 0, to = r * row + i;
        const float product = float(pixels[from]) * scale;
        reinterpret_cast<float*>(scaled.data())[to] = good ? product + shift : 0;
        reinterpret_cast<float*>(copied.data())[to] = good ? values[from] : 0;
        raw.data()[to] = good ? pixels[from] : 0;
      }
    const auto check = [&](const Output& expected, const Output& start, const void* x, DType x_dtype, DType y_dtype) {
      compare("batch_gather", expected, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
        check_report(
            kernels.batch_gather({y, x, index.data(), 0, x_dtype, y_dtype, 130, samples, row, scale, shift}, parallel),
            report);
      });
    };
    check(scaled, start4, pixels.data(), DType::u8, DType::f32);
    check(copied, start4, values.data(), DType::f32, DType::f32);
    check(raw, start1, pixels.data(), DType::u8, DType::u8);

    Output consecutive(10 * row), start = consecutive;
    std::copy_n(pixels.begin() + 40 * row, 10 * row, consecutive.data());
    compare("consecutive batch", consecutive, start, [&](const MovementKernels& kernels, void* y, Parallel& parallel) {
      check_report(
          kernels.batch_gather({y, pixels.data(), nullptr, 40, DType::u8, DType::u8, 10, samples, row}, parallel), {});
    });
  }
  std::uint8_t y[4], x[2] = {1, 2};
  Sequential sequential;
  check_report(kernel_table().movement.batch_gather({y, x, nullptr, 1, DType::u8, DType::u8, 4, 2, 1}, sequential),
               {3, 1});
}

TEST(permutation_is_one_and_is_fair) {
  for (const Index n : {0, 1, 2, 5, 1000, 60000}) {
    std::vector<std::int32_t> order(n, -1), again(n), other(n);
    permutation(7, 3, n, order.data());
    permutation(7, 3, n, again.data());
    permutation(7, 4, n, other.data());
    CHECK(order == again);
    if (n >= 1000) CHECK(order != other);
    std::sort(order.begin(), order.end());
    for (Index i = 0; i < n; ++i) CHECK_EQ(order[i], i);
  }
  // All 24 orders of four, over 24,000 epochs: chi-squared with 23 degrees of freedom stays below 58 (p = 1e-4).
  std::vector<int> seen(256, 0);
  for (int epoch = 0; epoch < 24000; ++epoch) {
    std::int32_t order[4];
    permutation(11, epoch, 4, order);
    ++seen[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]];
  }
  double chi = 0;
  int kinds = 0;
  for (const int times : seen)
    if (times > 0) chi += (times - 1000.0) * (times - 1000.0) / 1000, ++kinds;
  CHECK_EQ(kinds, 24);
  CHECK_MESSAGE(chi < 58, "chi-squared " + std::to_string(chi));
}

}  // namespace
}  // namespace athanor::kernels

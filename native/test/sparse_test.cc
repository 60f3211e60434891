// Sparse products and convolutions against the dense definition in double precision: every layout, uneven sizes, empty rows, no
// element at all and every one, on every instruction set, for one, two and seven workers (the same bits), with workspaces and results
// full of NaN and sentinels behind them.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/sparse/sparse_conv.h"
#include "sparse/choice.h"
#include "sparse/panels.h"
#include "sparse/slots.h"
#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

using namespace athanor;
using athanor::test::Threads;

namespace {

constexpr float kSentinel = 12345.5f;
constexpr Index kGuard = 16;

// NaN before it is written, sentinels behind it; 64-byte aligned.
struct Memory {
  std::vector<float> memory;
  Index size;
  explicit Memory(Index floats) : memory(static_cast<std::size_t>(floats + kGuard + 16)), size(floats) {
    for (Index i = 0; i < size; ++i) data()[i] = std::numeric_limits<float>::quiet_NaN();
    for (Index i = 0; i < kGuard; ++i) data()[size + i] = kSentinel;
  }
  float* data() { return memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64 / 4; }
  bool intact() {
    for (Index i = 0; i < kGuard; ++i)
      if (data()[size + i] != kSentinel) return false;
    return true;
  }
};

struct Weight {
  Index N, K;
  std::vector<std::uint8_t> bits;
  std::vector<float> values;
  std::vector<double> dense;

  // Blocks of R × C kept with probability `density`; every `empty`-th row has none.
  Weight(Index n, Index k, double density, Index R = 1, Index C = 1, Index empty = 0) : N(n), K(k) {
    std::mt19937 generator(static_cast<unsigned>(n * 31 + k));
    std::uniform_real_distribution<double> uniform(0, 1);
    bits.resize(static_cast<std::size_t>(N * sparse::bitmap_row_bytes(K)));
    dense.resize(static_cast<std::size_t>(N * K));
    std::vector<bool> kept(static_cast<std::size_t>((N / R + 1) * (K / C + 1)));
    for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = uniform(generator) < density;
    for (Index row = 0; row < N; ++row)
      for (Index column = 0; column < K; ++column) {
        if (!kept[static_cast<std::size_t>(row / R * (K / C + 1) + column / C)]) continue;
        if (empty > 0 && row % empty == 1) continue;
        const std::size_t byte = static_cast<std::size_t>(row * sparse::bitmap_row_bytes(K) + column / 8);
        bits[byte] = static_cast<std::uint8_t>(bits[byte] | 1 << column % 8);
        values.push_back(static_cast<float>(uniform(generator) * 2 - 1));
        dense[static_cast<std::size_t>(row * K + column)] = values.back();
      }
  }
  sparse::Bitmap bitmap() const { return {N, K, bits.data()}; }
};

std::vector<float> random(Index n, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> v(static_cast<std::size_t>(n));
  for (float& x : v) x = uniform(generator);
  return v;
}

// Twice the sum and the row's number: wrong where it runs twice, not at all, or for another row.
void epilogue_of(const void*, float* c, Index row, Index, Index cols, Index) {
  for (Index i = 0; i < cols; ++i) c[i] = 2 * c[i] + static_cast<float>(row);
}

// |y - (2 · sum + row)| within the rounding of K products.
void check_sum(double got, double sum, double size, Index row, Index K, const std::string& what) {
  const double wanted = 2 * sum + static_cast<double>(row);
  const double bound = 0x1p-23 * (static_cast<double>(K + 2) * size + std::fabs(wanted) + 1);
  CHECK_MESSAGE(std::fabs(got - wanted) <= bound,
                what + ": got " + std::to_string(got) + ", wanted " + std::to_string(wanted));
}

// Runs for one, two and seven workers; returns the bits of the first and checks the others'.
template <class Run>
std::vector<float> same_for_workers(Index floats, const std::string& what, Run&& run) {
  std::vector<float> first;
  for (const int workers : {1, 2, 7}) {
    Threads threads(workers);
    Memory y(floats);
    run(threads, y.data());
    CHECK_MESSAGE(y.intact(), what + ": the result was overrun");
    const std::vector<float> now(y.data(), y.data() + floats);
    if (workers == 1) first = now;
    CHECK_MESSAGE(floats == 0 || std::memcmp(first.data(), now.data(), static_cast<std::size_t>(floats) * 4) == 0,
                  what + ": other bits for " + std::to_string(workers) + " workers");
  }
  return first;
}

void check_product(const Weight& w, Index M, const std::vector<float>& x, const std::vector<float>& y,
                   const std::string& what) {
  for (Index m = 0; m < M; ++m)
    for (Index n = 0; n < w.N; ++n) {
      double sum = 0, size = 0;
      for (Index k = 0; k < w.K; ++k) {
        const double term = w.dense[static_cast<std::size_t>(n * w.K + k)] * x[static_cast<std::size_t>(m * w.K + k)];
        sum += term, size += std::fabs(term);
      }
      check_sum(y[static_cast<std::size_t>(m * w.N + n)], sum, size, m, w.K, what);
    }
}

void check_panels(const KernelTable& table, const Weight& w, Index M, const char* layout) {
  const std::string what = std::string(table.isa) + " " + layout + " M " + std::to_string(M) + " N " +
                           std::to_string(w.N) + " K " + std::to_string(w.K);
  const std::vector<float> x = random(M * w.K, 3);
  const sparse::Pattern pattern = sparse::pattern_of(w.bitmap());
  const sparse::Choice choice = sparse::choose(pattern, M, table.lanes, layout);
  const auto block =
      sparse::pack_panels(pattern, {choice.shape, choice.block_columns, kSparsePanelRows, {}, true}, w.values.data());
  const std::vector<float> y = same_for_workers(M * w.N, what, [&](Parallel& parallel, float* to) {
    Memory room(table.sparse.workspace(M, w.N, w.K, parallel.workers()) / 4);
    SparseArgs args;
    args.w = sparse::panels_at(block.data());
    args.M = M, args.x = x.data(), args.y = to, args.epilogue = epilogue_of;
    table.sparse.run(args, parallel, room.data());
    CHECK_MESSAGE(room.intact(), what + ": the workspace was overrun");
  });
  check_product(w, M, x, y, what);
  // The values that fill() brings are those of the block.
  std::vector<float> filled(static_cast<std::size_t>(sparse::value_count(block.data())));
  Sequential one;
  sparse::fill(block.data(), w.values.data(), filled.data(), one);
  CHECK(filled.empty() || std::memcmp(filled.data(), sparse::panels_at(block.data()).values, filled.size() * 4) == 0);
}

void check_slots(const KernelTable& table, const Weight& w, Index M) {
  const std::string what = std::string(table.isa) + " slots M " + std::to_string(M) + " N " + std::to_string(w.N) +
                           " K " + std::to_string(w.K);
  const std::vector<float> x = random(M * w.K, 4);
  const std::vector<float> y = same_for_workers(M * w.N, what, [&](Parallel& parallel, float* to) {
    const auto block = sparse::pack_slots(sparse::pattern_of(w.bitmap()), table.lanes, w.values.data(), parallel);
    Memory room(table.sparse.slots_workspace(M, w.K) / 4);
    SparseSlotsArgs args;
    args.w = sparse::slots_at(block.data());
    args.M = M, args.x = x.data(), args.y = to, args.epilogue = epilogue_of;
    table.sparse.slots(args, parallel, room.data());
    CHECK_MESSAGE(room.intact(), what + ": the workspace was overrun");
  });
  check_product(w, M, x, y, what);
}

const std::vector<Weight>& weights() {
  static const std::vector<Weight> list{
      {1, 1, 1.0},     {7, 13, 0.5},         {129, 67, 0.1},      {40, 1100, 0.3, 1, 1, 3}, {17, 9, 0.0},
      {130, 300, 1.0}, {96, 128, 0.2, 4, 4}, {33, 65, 0.2, 1, 4}, {35, 70, 0.3, 4, 1},      {300, 31, 0.05},
  };
  return list;
}

TEST(every_layout_of_panels_is_the_product) {
  test::for_each_isa([](const KernelTable& table) {
    for (const Weight& w : weights())
      for (const char* layout : {"1x1", "1x4", "4x1", "4x4"})
        for (const Index M : {0, 1, 3, 8, 37, 129}) check_panels(table, w, M, layout);
  });
}

TEST(slots_are_the_product) {
  test::for_each_isa([](const KernelTable& table) {
    for (const Weight& w : weights())
      for (const Index M : {1, 2, 3, 4}) check_slots(table, w, M);
  });
}

void check_conv(const KernelTable& table, const ConvShape& s, double density, int layout) {
  const Weight w(s.c_out, s.c_in * s.kh * s.kw, density, layout == 2 ? 4 : 1, 1);
  const Index OH = s.out_h(), OW = s.out_w();
  const std::string what = std::string(table.isa) + " conv " + std::to_string(s.h) + " x " + std::to_string(s.w) +
                           " by " + std::to_string(s.kh) + " x " + std::to_string(s.kw) + " layout " +
                           std::to_string(layout);
  const std::vector<float> x = random(s.n * s.c_in * s.h * s.w, 5);
  const SparseConvPlan plan = plan_sparse_conv(s);
  sparse::PanelOptions options{layout, plan.block_channels * s.kh * s.kw, kSparseConvPanelRows, {}, false};
  for (Index k = 0; k < w.K; ++k)
    options.offsets.push_back(static_cast<std::uint16_t>(plan.offset(s, k / (s.kh * s.kw), k / s.kw % s.kh, k % s.kw)));
  const auto block = sparse::pack_panels(sparse::pattern_of(w.bitmap()), options, w.values.data());
  const std::vector<float> y = same_for_workers(s.n * s.c_out * OH * OW, what, [&](Parallel& parallel, float* to) {
    Memory room(table.sparse.conv_workspace(s, parallel.workers()) / 4);
    SparseConvArgs args;
    args.shape = s, args.plan = plan, args.w = sparse::panels_at(block.data()), args.x = x.data(), args.y = to;
    args.epilogue = epilogue_of;
    table.sparse.conv(args, parallel, room.data());
    CHECK_MESSAGE(room.intact(), what + ": the workspace was overrun");
  });
  for (Index i = 0; i < s.n * s.c_out * OH * OW; ++i) {
    const Index ow = i % OW, oh = i / OW % OH, o = i / (OW * OH) % s.c_out, n = i / (OW * OH * s.c_out);
    double sum = 0, size = 0;
    for (Index k = 0; k < w.K; ++k) {
      const Index h = oh * s.stride_h - s.pad_top + k / s.kw % s.kh * s.dilation_h;
      const Index v = ow * s.stride_w - s.pad_left + k % s.kw * s.dilation_w;
      if (h < 0 || h >= s.h || v < 0 || v >= s.w) continue;
      const Index at = ((n * s.c_in + k / (s.kh * s.kw)) * s.h + h) * s.w + v;
      const double term = w.dense[static_cast<std::size_t>(o * w.K + k)] * x[static_cast<std::size_t>(at)];
      sum += term, size += std::fabs(term);
    }
    check_sum(y[static_cast<std::size_t>(i)], sum, size, o, w.K, what);
  }
}

TEST(convolution_is_its_definition) {
  // n c_in h w, c_out kh kw, stride, padding, dilation
  const ConvShape shapes[] = {
      {1, 1, 1, 1, 1, 1, 1},
      {2, 3, 7, 9, 5, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 70, 14, 14, 34, 3, 3, 1, 1, 1, 1, 1, 1},
      {2, 3, 11, 10, 4, 3, 5, 2, 3, 2, 0, 1, 3},
      {1, 2, 9, 11, 3, 3, 2, 1, 1, 1, 2, 0, 1, 2, 3},
      {1, 4, 13, 8, 3, 1, 1, 2, 2},
      {1, 1, 2, 2, 2, 3, 3, 1, 1, 4, 4, 4, 4},
      {1, 2, 70, 300, 3, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 300, 20, 40, 2, 3, 3, 2, 1, 1, 1, 1, 1, 1, 2},
      {0, 3, 5, 5, 2, 3, 3},
  };
  test::for_each_isa([&](const KernelTable& table) {
    for (const ConvShape& shape : shapes)
      for (const double density : {0.0, 0.15, 1.0})
        for (const int layout : {0, 2}) check_conv(table, shape, density, layout);
  });
}

TEST(a_bitmap_is_taken_at_its_word_only_when_it_fits) {
  const std::uint8_t bits[] = {0x03, 0x01, 0x00, 0x02};  // rows of 9 columns
  const auto message = [&](Index values) {
    try {
      sparse::check_bitmap("here", {2, 9, bits}, values);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string few = "here: the bitmap marks 4 weights, but there are 3 values; make both from the same mask";
  const std::string past = "here: row 1 of the bitmap marks a weight past its 9 columns; ";
  CHECK_MESSAGE(message(3) == few, message(3));
  CHECK_MESSAGE(message(4) == past + "the bits that fill a row's last byte must be 0", message(4));
}

TEST(the_transposed_pattern_is_the_pattern_transposed) {
  const Weight w(19, 37, 0.3);
  const sparse::Pattern rows = sparse::pattern_of(w.bitmap()), columns = sparse::transposed_pattern_of(w.bitmap());
  CHECK_EQ(columns.rows, 37);
  CHECK_EQ(columns.count(), rows.count());
  for (Index k = 0; k < columns.rows; ++k)
    for (Index i = columns.start[k]; i < columns.start[k + 1]; ++i) {
      const std::int32_t source = columns.source[i];
      CHECK_EQ(rows.column[source], static_cast<std::int32_t>(k));
      CHECK(source >= rows.start[columns.column[i]] && source < rows.start[columns.column[i] + 1]);
    }
}

TEST(the_choice_follows_the_pattern_and_the_batch) {
  using Layout = sparse::Choice::Layout;
  const auto layout = [](double density, Index M, Index R = 1, Index C = 1) {
    return sparse::choose(sparse::pattern_of(Weight(512, 512, density, R, C).bitmap()), M, 8, "auto");
  };
  CHECK(layout(1.0, 128).layout == Layout::dense);
  CHECK(layout(0.1, 128).layout == Layout::panels && layout(0.1, 128).shape == 0);
  CHECK(layout(0.1, 128, 4, 4).shape == 3);
  CHECK(layout(0.1, 128, 1, 4).shape == 1);
  CHECK(layout(0.9, 1).layout == Layout::dense);
  CHECK(layout(0.5, 1).layout == Layout::slots);
  CHECK(layout(0.2, 1).layout == Layout::slots);
}

// With vectors of 16 lanes a few rows of a dense weight cost less and the sparse kernels less still than the constants of AVX2 say,
// scaled: bench/formats.ts found 1024 x 1024 at 80 % zeros and 4 rows at 0.89 of f32, and 2 rows at 50 % dense where slots win.
TEST(the_choice_of_wide_vectors_is_theirs) {
  using Layout = sparse::Choice::Layout;
  const auto layout = [](Index N, Index K, double density, Index M) {
    return sparse::choose(sparse::pattern_of(Weight(N, K, density).bitmap()), M, 16, "auto").layout;
  };
  CHECK(layout(1024, 1024, 0.2, 4) != Layout::panels);
  CHECK(layout(1024, 1024, 0.5, 1) == Layout::slots);
  CHECK(layout(512, 784, 0.2, 2) == Layout::slots);
  CHECK(layout(512, 784, 0.2, 12) == Layout::panels);
  CHECK(layout(10, 256, 0.05, 1) == Layout::dense);
  CHECK(layout(1024, 1024, 0.9, 4) == Layout::dense);
}

}  // namespace

// The matrix product against a float64 loop. The bound is the classical one for a sum of K products, whatever the order:
// |C - C64| <= gamma_K · |A| |B|, gamma_K = K u / (1 - K u), u = 2^-24, with one more rounding for each addition to C.
// Long because every way in (strides, batches, packing, epilogues, sizes 0 and 1) is held against the same reference.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "test/test.h"
#include "test/threads.h"

using namespace athanor;

namespace {

constexpr float kGuard = 12345.678f;

struct Random {
  std::uint64_t state;
  float next() {  // in [-1, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<std::int32_t>(state >> 32)) * 0x1p-31f;
  }
};

std::vector<float> random_floats(Index n, std::uint64_t seed) {
  Random random{seed * 7919 + 17};
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = random.next();
  return values;
}

struct AlignedFloats {
  explicit AlignedFloats(Index n)
      : data(static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>((n * 4 + 127) / 64 * 64)))) {
    for (Index i = 0; i < n; ++i) data[i] = std::nanf("");  // nothing may be read before it was written
  }
  ~AlignedFloats() { std::free(data); }
  AlignedFloats(const AlignedFloats&) = delete;
  AlignedFloats& operator=(const AlignedFloats&) = delete;
  float* data;
};

enum class Layout { rows, columns, strided };  // contiguous along the second index, the first, or neither

const char* name_of(Layout layout) {
  return layout == Layout::rows ? "rows" : layout == Layout::columns ? "columns" : "strided";
}

// One operand of R × S elements an entry, in memory with exactly as many floats as it needs (ASan sees an overrun).
struct Matrix {
  Matrix(Index R, Index S, Layout layout, Index entries, std::uint64_t seed, Index padding) {
    const Index gap = layout == Layout::strided ? 3 : 1;
    operand.row = layout == Layout::columns ? 1 : (S + padding) * gap;
    operand.col = layout == Layout::columns ? R + padding : gap;
    const Index span = R > 0 && S > 0 ? (R - 1) * operand.row + (S - 1) * operand.col + 1 : 0;
    operand.batch[1] = span;
    values = random_floats(span * entries, seed);
    operand.data = values.data();
  }
  double at(Index entry, Index r, Index s) const {
    return operand.data[entry * operand.batch[1] + r * operand.row + s * operand.col];
  }
  GemmOperand operand;
  std::vector<float> values;
};

struct Case {
  Index M, N, K;
  Layout a = Layout::rows, b = Layout::rows;
  Index entries = 1;
  bool accumulate = false;
  bool packed = false;  // B ahead
  bool callback_a = false, callback_b = false;
  bool epilogue = false;
  Index padding = 0;
  bool broadcast_b = false;  // one B for all entries

  std::string text() const {
    return std::to_string(M) + "x" + std::to_string(N) + "x" + std::to_string(K) + " a " + name_of(a) + " b " +
           name_of(b) + " entries " + std::to_string(entries) + (accumulate ? " accumulate" : "") +
           (packed ? " packed" : "") + (callback_a ? " callback a" : "") + (callback_b ? " callback b" : "") +
           (epilogue ? " epilogue" : "") + " padding " + std::to_string(padding) + (broadcast_b ? " broadcast" : "") +
           " on " + kernel_table().isa;
  }
};

// The callbacks read the very operand that the plain product reads.
struct PackSource {
  const Matrix* matrix;
  bool broadcast;
  int widest;
};
void pack_a_from(const void* self, Index entry, Index k0, Index kc, Index i0, Index ni, float* dst, Index ldd) {
  const auto& source = *static_cast<const PackSource*>(self);
  CHECK(ni <= source.widest && ni == ldd);
  for (Index k = 0; k < kc; ++k)
    for (Index i = 0; i < ni; ++i) dst[k * ldd + i] = static_cast<float>(source.matrix->at(entry, i0 + i, k0 + k));
}
void pack_b_from(const void* self, Index entry, Index k0, Index kc, Index j0, Index nj, float* dst, Index ldd) {
  const auto& source = *static_cast<const PackSource*>(self);
  CHECK(nj <= source.widest && ldd == source.widest);
  CHECK(reinterpret_cast<std::uintptr_t>(dst) % 32 == 0);
  for (Index k = 0; k < kc; ++k)
    for (Index j = 0; j < nj; ++j)
      dst[k * ldd + j] = static_cast<float>(source.matrix->at(source.broadcast ? 0 : entry, k0 + k, j0 + j));
}

// y = 2 y + (row + 1) + (entry + 1) / 8: exact enough to check, and wrong when run twice or on the wrong element.
void epilogue_of(const void*, float* c, Index row, Index col, Index cols, Index entry) {
  for (Index j = 0; j < cols; ++j)
    c[j] =
        2 * c[j] + static_cast<float>(row + 1) + static_cast<float>(entry + 1) / 8 + static_cast<float>((col + j) % 5);
}

std::vector<float> product(const Case& t, const Matrix& a, const Matrix& b, const std::vector<float>& c0, Index ldc,
                           int workers) {
  const GemmKernels& gemm = kernel_table().gemm;
  const PackSource source_a{&a, false, gemm.mr}, source_b{&b, t.broadcast_b, gemm.nr};
  std::vector<float> c = c0;
  GemmArgs args;
  args.M = t.M, args.N = t.N, args.K = t.K;
  args.batch[0] = t.entries % 2 == 0 ? 2 : 1;
  args.batch[1] = t.entries / args.batch[0];
  args.a = a.operand;
  args.b = b.operand;
  args.c = c.data() + 16;
  args.ldc = ldc;
  args.c_batch[1] = t.M * ldc;
  args.accumulate = t.accumulate;
  if (t.broadcast_b) args.b.batch[1] = 0;
  if (t.epilogue) args.epilogue = epilogue_of;
  for (GemmOperand* operand : {&args.a, &args.b}) operand->batch[0] = operand->batch[1] * args.batch[1];
  args.c_batch[0] = args.c_batch[1] * args.batch[1];
  if (t.callback_a) args.a.data = nullptr, args.a.pack = pack_a_from, args.a.pack_self = &source_a;
  if (t.callback_b) args.b.data = nullptr, args.b.pack = pack_b_from, args.b.pack_self = &source_b;

  test::Threads threads(workers);
  AlignedFloats packed(t.packed ? gemm.packed_size(t.K, t.N) * t.entries : 1);
  if (t.packed) {
    const Index size = gemm.packed_size(t.K, t.N);
    for (Index entry = 0; entry < t.entries; ++entry) {
      GemmArgs one = args;
      if (!t.callback_b) one.b.data += entry * b.operand.batch[1];
      gemm.pack_b(one, packed.data + entry * size, threads);
    }
    args.b.data = packed.data;
    args.b.batch[1] = size;
    args.b.batch[0] = size * args.batch[1];
    args.b_packed = true;
  }
  const Index bytes = gemm.workspace(args, workers);
  AlignedFloats workspace(bytes / 4 + 16);
  for (int i = 0; i < 16; ++i) workspace.data[bytes / 4 + i] = kGuard;
  gemm.run(args, threads, workspace.data);
  for (int i = 0; i < 16; ++i) CHECK_MESSAGE(workspace.data[bytes / 4 + i] == kGuard, "workspace overrun: " + t.text());
  return c;
}

void check_case(const Case& t) {
  const Matrix a(t.M, t.K, t.a, t.entries, 1, t.padding), b(t.K, t.N, t.b, t.entries, 2, t.padding);
  const Index ldc = t.N + t.padding;
  std::vector<float> c0 = random_floats(t.entries * t.M * ldc + 32, 3);
  for (std::size_t i = 0; i < c0.size(); ++i) {
    const Index at = static_cast<Index>(i) - 16;
    if (at < 0 || at >= t.entries * t.M * ldc || at % ldc >= t.N)
      c0[i] = kGuard;
    else if (!t.accumulate)
      c0[i] = std::nanf("");
  }
  const std::vector<float> c = product(t, a, b, c0, ldc, 1);

  const double u = 0x1p-24, gamma = static_cast<double>(t.K + 2) * u / (1 - static_cast<double>(t.K + 2) * u);
  // Large products are checked on a sample of elements that meets every row and column.
  const Index step = t.entries * t.M * t.N * t.K > (Index{1} << 25) ? 7 : 1;
  int reports = 0;
  for (Index e = 0; e < t.entries; ++e)
    for (Index i = 0; i < t.M; ++i)
      for (Index j = i % step; j < t.N; j += step) {
        const std::size_t at = static_cast<std::size_t>(16 + (e * t.M + i) * ldc + j);
        double sum = t.accumulate ? c0[at] : 0.0, size = std::fabs(sum);
        for (Index k = 0; k < t.K; ++k) {
          const double term = a.at(e, i, k) * b.at(t.broadcast_b ? 0 : e, k, j);
          sum += term, size += std::fabs(term);
        }
        double bound = gamma * size + 1e-37;
        if (t.epilogue) {
          sum = 2 * sum + static_cast<double>(i + 1) + static_cast<double>(e + 1) / 8 + static_cast<double>(j % 5);
          bound = 2 * bound + 4 * u * (std::fabs(sum) + static_cast<double>(i + 8));
        }
        if (!(std::fabs(static_cast<double>(c[at]) - sum) <= bound) && ++reports <= 2)
          CHECK_MESSAGE(false, t.text() + ": C(" + std::to_string(e) + ";" + std::to_string(i) + "," +
                                   std::to_string(j) + ") is " + std::to_string(c[at]) + ", want " +
                                   std::to_string(sum));
      }
  for (std::size_t i = 0; i < c.size(); ++i)
    if (c0[i] == kGuard) CHECK_MESSAGE(c[i] == kGuard, "wrote outside of C: " + t.text());
  if (t.entries * t.M * t.N * t.K < 4096 && t.entries == 1) return;  // one task, whatever the workers
  for (int workers : {2, 7}) {
    const std::vector<float> again = product(t, a, b, c0, ldc, workers);
    CHECK_MESSAGE(std::memcmp(again.data(), c.data(), c.size() * sizeof(float)) == 0,
                  "other bits with " + std::to_string(workers) + " workers: " + t.text());
  }
}

template <class Body>
void on_every_isa(Body body) {
  const std::string first = kernel_table().isa;
  const char* fixed = std::getenv("ATHANOR_ISA");
  for (const std::string& isa : available_isas()) {
    if (fixed && isa != first) continue;
    set_isa(isa);
    body();
  }
  set_isa(first);
}

}  // namespace

TEST(gemm_every_layout_at_odd_sizes) {
  on_every_isa([] {
    for (Layout a : {Layout::rows, Layout::columns, Layout::strided})
      for (Layout b : {Layout::rows, Layout::columns, Layout::strided})
        for (const Index K : {1, 3, 17, 300})
          for (const Index N : {5, 16, 33, 131})
            for (const Index M : {6, 13, 29, 62}) check_case({.M = M, .N = N, .K = K, .a = a, .b = b});
  });
}

TEST(gemm_every_small_size) {
  on_every_isa([] {
    for (Index M = 1; M <= 17; ++M)
      for (const Index N : {1, 2, 3, 4, 5, 7, 8, 9, 15, 17, 31, 32, 40, 48})
        for (const Index K : {1, 2, 9, 24}) check_case({.M = M, .N = N, .K = K, .padding = (M + N) % 3});
  });
}

TEST(gemm_few_rows_or_columns_in_every_layout) {
  on_every_isa([] {
    for (Layout a : {Layout::rows, Layout::columns, Layout::strided})
      for (Layout b : {Layout::rows, Layout::columns, Layout::strided})
        for (const Index few : {1, 2, 3, 4, 5})
          for (const Index K : {1, 13, 200})
            for (const Index many : {1, 7, 70, 257}) {
              check_case({.M = few, .N = many, .K = K, .a = a, .b = b, .accumulate = K == 13, .epilogue = K == 200});
              check_case({.M = many, .N = few, .K = K, .a = a, .b = b, .accumulate = K == 200, .epilogue = K == 13});
            }
    check_case({.M = 1, .N = 5000, .K = 100, .epilogue = true});
    check_case({.M = 1, .N = 1300, .K = 300, .b = Layout::columns, .epilogue = true});
    check_case({.M = 3000, .N = 1, .K = 100, .a = Layout::columns});
  });
}

TEST(gemm_in_many_tiles_blocks_and_chunks) {
  on_every_isa([] {
    check_case({.M = 400, .N = 300, .K = 530, .epilogue = true, .padding = 5});
    check_case({.M = 400, .N = 300, .K = 530, .a = Layout::columns, .b = Layout::columns, .accumulate = true});
    check_case({.M = 128, .N = 512, .K = 784, .b = Layout::columns, .epilogue = true});
    check_case({.M = 784, .N = 500, .K = 128, .a = Layout::columns});
    check_case({.M = 20, .N = 30, .K = 20000, .a = Layout::columns, .accumulate = true, .epilogue = true});
    check_case({.M = 8200, .N = 20, .K = 40, .epilogue = true});
    check_case({.M = 20, .N = 8200, .K = 40, .b = Layout::columns, .epilogue = true});
    check_case({.M = 3000, .N = 270, .K = 900, .accumulate = true, .epilogue = true});  // several super-blocks
  });
}

TEST(gemm_batches_and_broadcasts) {
  on_every_isa([] {
    for (const Index entries : {2, 3, 12}) {
      check_case({.M = 33, .N = 47, .K = 20, .b = Layout::columns, .entries = entries, .epilogue = true, .padding = 1});
      check_case({.M = 130, .N = 128, .K = 64, .entries = entries, .accumulate = true, .broadcast_b = true});
      check_case({.M = 1, .N = 50, .K = 64, .entries = entries, .epilogue = true, .broadcast_b = true});
      check_case({.M = 50, .N = 1, .K = 64, .entries = entries, .epilogue = true});
    }
    check_case({.M = 450, .N = 400, .K = 400, .entries = 2, .epilogue = true});  // large enough to be run one by one
  });
}

TEST(gemm_packs_on_demand_and_ahead) {
  on_every_isa([] {
    for (const Index M : {1, 5, 40, 300})
      for (const Index N : {1, 10, 47, 320})
        for (const Index K : {1, 9, 288, 777}) {
          check_case({.M = M, .N = N, .K = K, .packed = true, .epilogue = true});
          check_case({.M = M, .N = N, .K = K, .a = Layout::columns, .callback_b = true});
          check_case({.M = M, .N = N, .K = K, .b = Layout::columns, .accumulate = true, .callback_a = true});
          check_case({.M = M, .N = N, .K = K, .callback_a = true, .callback_b = true, .epilogue = true});
        }
    check_case({.M = 40, .N = 100, .K = 90, .entries = 6, .packed = true, .epilogue = true});
    check_case({.M = 40, .N = 700, .K = 90, .entries = 6, .callback_b = true, .epilogue = true});
    check_case({.M = 40, .N = 8250, .K = 30, .packed = true});
  });
}

TEST(gemm_b_packed_ahead_changes_no_bit) {
  on_every_isa([] {
    for (const Index M : {30, 500}) {
      const Case plain{.M = M, .N = 333, .K = 700, .b = Layout::columns};
      Case ahead = plain;
      ahead.packed = true;
      const Matrix a(plain.M, plain.K, plain.a, 1, 1, 0), b(plain.K, plain.N, plain.b, 1, 2, 0);
      const std::vector<float> c0(static_cast<std::size_t>(plain.M * plain.N + 32), 0.0f);
      const auto one = product(plain, a, b, c0, plain.N, 1), two = product(ahead, a, b, c0, plain.N, 1);
      CHECK(std::memcmp(one.data(), two.data(), one.size() * sizeof(float)) == 0);
    }
  });
}

TEST(gemm_of_size_zero) {
  on_every_isa([] {
    check_case({.M = 3, .N = 5, .K = 0});
    check_case({.M = 3, .N = 5, .K = 0, .entries = 3, .epilogue = true, .padding = 2});
    check_case({.M = 3, .N = 5, .K = 0, .accumulate = true, .epilogue = true});
    check_case({.M = 3, .N = 5, .K = 0, .packed = true});
    check_case({.M = 0, .N = 5, .K = 4, .epilogue = true});
    check_case({.M = 3, .N = 0, .K = 4, .epilogue = true, .padding = 1});
    check_case({.M = 3, .N = 4, .K = 4, .entries = 0, .epilogue = true});
  });
}

TEST(gemm_keeps_infinities_and_nans_to_their_row_and_column) {
  on_every_isa([] {
    for (const Index M : {1, 20}) {
      Matrix a(M, 30, Layout::rows, 1, 1, 0), b(30, 37, Layout::rows, 1, 2, 0);
      b.values[5 * 37 + 36] = std::nanf("");
      a.values[static_cast<std::size_t>((M - 1) * 30)] = HUGE_VALF;
      const Case t{.M = M, .N = 37, .K = 30};
      const std::vector<float> c = product(t, a, b, std::vector<float>(static_cast<std::size_t>(M * 37 + 32)), 37, 1);
      for (Index i = 0; i < M; ++i)
        for (Index j = 0; j < 37; ++j) {
          const float value = c[static_cast<std::size_t>(16 + i * 37 + j)];
          if (j == 36)
            CHECK(std::isnan(value));
          else
            CHECK(i == M - 1 ? std::isinf(value) : std::isfinite(value));
        }
    }
  });
}

TEST(gemm_f64_is_exact_on_small_integers_and_close_elsewhere) {
  on_every_isa([] {
    for (const Index N : {1, 63, 130})
      for (const bool columns : {false, true})
        for (const bool accumulate : {false, true}) {
          const Index M = 37, K = 29;
          std::vector<double> a(static_cast<std::size_t>(2 * M * K)), b(static_cast<std::size_t>(K * N));
          std::vector<double> c(static_cast<std::size_t>(2 * M * N), 3.0);
          for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i % 13) - 6;
          for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<double>(i % 7) - 3;
          GemmF64Args args;
          args.M = M, args.N = N, args.K = K, args.batch[1] = 2;
          args.a = a.data(), args.a_row = K, args.a_col = 1, args.a_batch[1] = M * K;
          args.b = b.data(), args.b_row = columns ? 1 : N, args.b_col = columns ? K : 1;
          args.c = c.data(), args.ldc = N, args.c_batch[1] = M * N;
          args.accumulate = accumulate;
          test::Threads threads(3);
          kernel_table().gemm.run_f64(args, threads);
          for (Index e = 0; e < 2; ++e)
            for (Index i = 0; i < M; ++i)
              for (Index j = 0; j < N; ++j) {
                double sum = accumulate ? 3.0 : 0.0;
                for (Index k = 0; k < K; ++k)
                  sum += a[static_cast<std::size_t>((e * M + i) * K + k)] *
                         b[static_cast<std::size_t>(columns ? j * K + k : k * N + j)];
                CHECK_EQ(c[static_cast<std::size_t>((e * M + i) * N + j)], sum);
              }
        }
  });
}

// Products with quantized weights, on every instruction set, against the same sums of whole numbers: to the bit, in integers and in
// f32 (scales that are powers of two leave every sum exact), any number of threads, and what stands beside y untouched.
// Long because every format runs through the same cases.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "formats/panels.h"
#include "runtime/memory.h"
#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

using namespace athanor;

namespace {

struct Case {
  quant::Format format = quant::Format::int8;
  Index M = 1, N = 1, K = 1, group = 1 << 20;
  bool is_static = false, bf16 = false, bitmap = false, is_float = false;
  Index positive = 0;  // rows without negatives
  int extreme = 0;     // 1: the least codes, 2: the largest, and x as large as can be
  int codes = 256;     // of a codebook, where its bits leave more
};

// Operands of a case, and y by its definition.
struct Problem {
  std::vector<std::uint8_t> q, zero, bitmap;
  std::vector<float> scale, table, x, want;
  std::vector<Bf16> scale_bf16;
  std::vector<std::uint8_t> scale_e8m0;
  float act[2] = {0.5f, 37};
  quant::Weights w;

  Problem(const Case& c, unsigned seed) {
    std::mt19937 draw(seed);
    const quant::FormatInfo& format = quant::info(c.format);
    w.format = c.format, w.N = c.N, w.K = c.K, w.group = c.group < c.K ? c.group : c.K;
    const Index groups = w.groups(), row = w.row_bytes();
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(c.N * c.K));
    const int top = std::min(1 << format.bits, c.codes);
    const bool symmetric = format.kind == quant::Kind::symmetric;
    for (auto& code : codes) {
      code = static_cast<std::uint8_t>(draw() % static_cast<unsigned>(top));
      if (c.extreme == 1) code = static_cast<std::uint8_t>(symmetric ? top / 2 : 0);
      if (c.extreme == 2) code = static_cast<std::uint8_t>(symmetric ? top / 2 - 1 : top - 1);
    }
    std::vector<bool> kept(codes.size(), true);
    if (c.bitmap) {
      bitmap.assign(static_cast<std::size_t>(c.N * ((c.K + 7) / 8)), 0);
      for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = draw() % 3 == 0;
    }
    q.assign(static_cast<std::size_t>(c.N * row), 0);
    Index next = 0;
    for (Index n = 0; n < c.N; ++n)
      for (Index k = 0; k < c.K; ++k) {
        const std::size_t i = static_cast<std::size_t>(n * c.K + k);
        if (!c.bitmap) {
          quant::set_cell(q.data() + n * row, k, format.bits, codes[i]);
        } else if (kept[i]) {
          quant::set_cell(q.data(), next++, format.bits, codes[i]);
          quant::set_cell(bitmap.data() + n * ((c.K + 7) / 8), k, 1, 1);
        }
      }
    for (Index i = 0; i < c.N * groups; ++i) {
      scale.push_back(1.0f / static_cast<float>(1 << draw() % 4));
      scale_bf16.push_back(to_bf16(scale.back()));
      zero.push_back(static_cast<std::uint8_t>(draw() % static_cast<unsigned>(top)));
    }
    for (int i = 0; i < top; ++i) table.push_back(static_cast<float>(static_cast<int>(draw() % 255) - 127));
    table[0] = 127;  // so that the unit is 1
    for (const float each : scale) scale_e8m0.push_back(static_cast<std::uint8_t>(127 + std::lround(std::log2(each))));
    if (const float* fixed = quant::fixed_table(format)) table.assign(fixed, fixed + top);
    w.q = q.data();
    if (format.scale == quant::ScaleType::e8m0)
      w.scale_e8m0 = scale_e8m0.data();
    else if (c.bf16)
      w.scale_bf16 = scale_bf16.data();
    else
      w.scale = scale.data();
    if (format.kind == quant::Kind::affine) w.zero = zero.data();
    if (format.kind == quant::Kind::codebook) w.table = table.data(), w.table_size = top;
    if (c.bitmap) w.bitmap = bitmap.data();
    fill_x(c, draw);
    want_y(c, codes, kept);
  }

 private:
  // Whole numbers whose step is exactly 1 (dynamic, the largest being 127) or 1/2 (static, some past the clamp); in f32 up to 7, so
  // that sums of 1100 products with an eighth of up to 255 stay below 2^24 eighths.
  void fill_x(const Case& c, std::mt19937& draw) {
    for (Index i = 0; i < c.M * c.K; ++i) {
      if (c.is_float) {
        x.push_back(static_cast<float>(draw() % 15) - 7);
        continue;
      }
      int value = c.extreme != 0 ? (c.extreme == 1 ? -127 : 127) : static_cast<int>(draw() % 255) - 127;
      if (i / c.K < c.positive) value = std::abs(value);
      x.push_back(static_cast<float>(i % c.K == 0 ? 127 : value));
    }
  }

  void want_y(const Case& c, const std::vector<std::uint8_t>& codes, const std::vector<bool>& kept) {
    for (Index m = 0; m < c.M; ++m)
      for (Index n = 0; n < c.N; ++n) {
        double sum = 0;
        for (Index k = 0; k < c.K; ++k) {
          const std::size_t i = static_cast<std::size_t>(n * c.K + k);
          const Index g = k / w.group;
          double integer = quant::signed_code(codes[i], w.bits());
          if (w.zero != nullptr) integer = codes[i] - w.zero_of(n, g);
          if (w.table != nullptr) integer = w.table[codes[i]];
          double xi = x[static_cast<std::size_t>(m * c.K + k)];
          if (c.is_static) xi = std::fmin(std::fmax(2 * xi, -37.0), 218.0) / 2;
          if (kept[i]) sum += integer * xi * static_cast<double>(w.scale_of(n, g));
        }
        want.push_back(static_cast<float>(sum));
      }
  }
};

template <class Args, class Workspace, class Run>
void check_product(const Problem& problem, Args args, Workspace workspace_of, Run run) {
  Block packed(args.w.bytes);
  Sequential sequential;
  quant::pack_panels(problem.w, args.w, 1, packed.data(), sequential);
  args.packed = packed.data(), args.x = problem.x.data();
  for (const int threads : {1, 2, 7}) {
    constexpr float kGuard = -12345;
    std::vector<float> y(problem.want.size() + 32, kGuard);
    args.y = y.data() + 16;
    Block workspace(workspace_of(args, threads));
    test::Threads parallel(threads);
    run(args, parallel, workspace.data());
    for (std::size_t i = 0; i < problem.want.size(); ++i) CHECK_EQ(y[i + 16], problem.want[i]);
    for (std::size_t i = 0; i < 16; ++i) CHECK(y[i] == kGuard && y[y.size() - 1 - i] == kGuard);
  }
}

void check_case(const Case& c) {
  const Problem problem(c, static_cast<unsigned>(c.M * 31 + c.N * 7 + c.K + static_cast<int>(c.format)));
  test::for_each_isa([&](const KernelTable& kernels) {
    const QuantKernels& quant = kernels.quant;
    if (c.is_float) {
      QuantFloatArgs args;
      args.M = c.M, args.w = quant::panels_of(problem.w, quant.float_layout(problem.w));
      check_product(problem, args, quant.float_workspace, quant.float_matmul);
    } else {
      QuantMatmulArgs args;
      args.M = c.M, args.w = quant::panels_of(problem.w, quant.layout(problem.w, c.is_static));
      if (c.is_static) args.act = problem.act;
      check_product(problem, args, quant.workspace, quant.matmul);
    }
  });
}

}  // namespace

// Sums of a table that is not whole in parts of its largest entry / 127 are not exact in integers.
static std::vector<quant::FormatInfo> whole_formats() {
  std::vector<quant::FormatInfo> formats;
  for (const quant::FormatInfo& format : quant::kFormats)
    if (quant::fixed_table(format) == nullptr) formats.push_back(format);
  return formats;
}

TEST(quant_cells_of_every_width_are_what_was_written) {
  for (int bits = 1; bits <= 8; ++bits) {
    std::mt19937 draw(static_cast<unsigned>(bits));
    std::vector<std::uint8_t> codes(1001), cells(static_cast<std::size_t>(quant::cell_bytes(1001, bits)), 0);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<std::uint8_t>(draw() % (1U << bits));
      quant::set_cell(cells.data(), static_cast<Index>(i), bits, codes[i]);
    }
    for (std::size_t i = 0; i < codes.size(); ++i)
      CHECK_EQ(quant::cell(cells.data(), static_cast<Index>(i), bits), codes[i]);
    for (Index bit = 0; bit < 1001 * bits; ++bit)
      CHECK_EQ(cells[static_cast<std::size_t>(bit / 8)] >> bit % 8 & 1,
               codes[static_cast<std::size_t>(bit / bits)] >> bit % bits & 1);
  }
}

TEST(quant_scales_of_one_byte_are_powers_of_two) {
  for (int byte = 0; byte < 255; ++byte)
    CHECK_EQ(quant::from_e8m0(static_cast<std::uint8_t>(byte)), std::ldexp(1.0f, byte - 127));
  CHECK(std::isnan(quant::from_e8m0(255)));
}

TEST(quant_products_are_exact_in_every_format) {
  for (const quant::FormatInfo& format : whole_formats())
    for (const bool is_static : {false, true})
      for (const Index group : {1 << 20, 32, 16, 5})
        for (const Index M : {1, 3, 4, 5, 13}) {
          check_case({.format = format.format, .M = M, .N = 37, .K = 71, .group = group, .is_static = is_static});
          check_case({.format = format.format,
                      .M = M,
                      .N = 16,
                      .K = 96,
                      .group = group,
                      .is_static = is_static,
                      .bf16 = true,
                      .bitmap = group == 32});
        }
}

TEST(quant_products_of_many_rows_and_blocks) {
  for (const quant::Format format : {quant::Format::int8, quant::Format::uint4, quant::Format::codebook4})
    for (const Index group : {1 << 20, 128})
      check_case({.format = format, .M = 129, .N = 50, .K = 1100, .group = group});
}

TEST(quant_products_of_few_rows_and_many_panels) {
  for (const quant::FormatInfo& format : whole_formats())
    for (const Index group : {1 << 20, 32})
      for (const Index M : {1, 2})
        for (const Index positive : {0, 1})
          check_case({.format = format.format, .M = M, .N = 150, .K = 130, .group = group, .positive = positive});
}

TEST(quant_products_of_rows_with_and_without_negatives) {
  for (const quant::Format format : {quant::Format::int8, quant::Format::codebook4, quant::Format::codebook8})
    for (const Index group : {1 << 20, 96, 5})
      for (const Index positive : {5, 12, 40})
        check_case({.format = format, .M = 40, .N = 40, .K = 700, .group = group, .positive = positive});
}

TEST(quant_sums_hold_the_largest_products) {
  for (const quant::FormatInfo& format : whole_formats())
    for (const int extreme : {1, 2})
      for (const Index M : {1, 6, 20})
        for (const bool is_static : {false, true}) {
          check_case({.format = format.format, .M = M, .N = 18, .K = 250, .is_static = is_static, .extreme = extreme});
          check_case({.format = format.format,
                      .M = M,
                      .N = 18,
                      .K = 250,
                      .is_static = is_static,
                      .positive = M,
                      .extreme = extreme});
        }
}

// The kernels divide by way of a reciprocal; here is the division. Steps of every size, values halfway between two integers, infinities.
TEST(quant_rounding_equals_division) {
  constexpr Index kLength = 211;
  test::for_each_isa([&](const KernelTable& table) {
    std::mt19937 draw(9);
    std::uniform_real_distribution<float> sizes(-1, 1);
    Sequential one;
    for (int row = 0; row < 6000; ++row) {
      const bool is_static = row % 3 == 0;
      const float size = std::ldexp(1 + std::fabs(sizes(draw)), row % 251 - 135);
      const float act[2] = {size, static_cast<float>(draw() % 256)};
      std::vector<float> x(kLength), to(kLength);
      for (Index i = 0; i < kLength; ++i) {
        const float whole = static_cast<float>(draw() % 255) - 127;
        x[static_cast<std::size_t>(i)] = i % 2 ? sizes(draw) * 127 * size : (whole + 0.5f) * size;
      }
      if (is_static) x[5] = HUGE_VALF, x[6] = -HUGE_VALF, x[7] = 3e38f;
      float most = 0, factor = 0;
      for (const float value : x) most = std::max(most, std::fabs(value));
      const float dynamic = most / 127 > 0 ? most / 127 : 1, step = is_static ? size : dynamic;
      const float low = is_static ? -act[1] : -127, high = is_static ? 255 - act[1] : 127;
      table.quant.round({1, kLength, x.data(), is_static ? act : nullptr, 1, to.data(), &factor}, one);
      CHECK_EQ(factor, step);
      Index wrong = 0;
      for (std::size_t i = 0; i < x.size(); ++i) wrong += to[i] != std::clamp(std::nearbyint(x[i] / step), low, high);
      CHECK_EQ(wrong, 0);
    }
  });
}

TEST(quant_products_of_size_zero) {
  for (const bool is_float : {false, true}) {
    check_case({.M = 0, .N = 3, .K = 4, .is_float = is_float});
    check_case({.M = 3, .N = 0, .K = 4, .is_float = is_float});
    for (const Index M : {3, 9}) check_case({.M = M, .N = 5, .K = 0, .is_float = is_float});
  }
}

TEST(quant_products_in_f32_of_every_format) {
  for (const quant::FormatInfo& format : quant::kFormats) {
    if (format.kind == quant::Kind::codebook && format.bits > 4) continue;
    for (const Index group : {1 << 20, 32, 16, 5})
      for (const Index M : {1, 2, 3, 4, 5, 13}) {
        check_case({.format = format.format, .M = M, .N = 37, .K = 71, .group = group, .is_float = true});
        check_case({.format = format.format,
                    .M = M,
                    .N = 16,
                    .K = 96,
                    .group = group,
                    .bf16 = true,
                    .bitmap = group == 32,
                    .is_float = true,
                    .codes = 15});
      }
  }
}

TEST(quant_products_in_f32_of_many_rows_blocks_and_panels) {
  for (const quant::Format format : {quant::Format::int8, quant::Format::uint4, quant::Format::codebook4})
    for (const Index group : {1 << 20, 128, 100}) {
      for (const Index M : {129, 400})
        check_case({.format = format, .M = M, .N = 50, .K = 1100, .group = group, .is_float = true});
      for (const Index M : {1, 2})
        check_case({.format = format, .M = M, .N = 150, .K = 1100, .group = group, .is_float = true});
    }
}

TEST(quant_f32_panels_hold_what_fits_nibbles_or_integers) {
  const auto has = [](quant::Format format, int codes, bool bitmap) {
    return quant::has_f32_panels(
        Problem({.format = format, .N = 2, .K = 3, .bitmap = bitmap, .is_float = true, .codes = codes}, 1).w);
  };
  CHECK(has(quant::Format::int8, 256, true) && has(quant::Format::uint8, 256, true));
  CHECK(has(quant::Format::codebook4, 16, false) && has(quant::Format::codebook4, 15, true));
  CHECK(!has(quant::Format::codebook4, 16, true) && !has(quant::Format::codebook8, 200, false));
}

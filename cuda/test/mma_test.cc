// The models of mma.sync and ldmatrix beside the layouts as the PTX manual writes them ("Matrix Fragments for mma.m16n8k16" and others),
// for every lane, register and element.
#include <cmath>

#include "base/half.h"
#include "cuda/test/fragments.h"
#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::cuda;
using namespace athanor::test;

namespace {

struct At {
  int row, col;
};

// PTX ISA 9.7.14.5.8, .bf16 and .f16, m16n8k16: element i of a lane's fragment.
At a_16x8x16(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
  const int col = i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
  return {row, col};
}
At b_16x8x16(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8, group};
}
// .tf32, m16n8k8.
At a_16x8x8(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i == 0 || i == 2 ? group : group + 8, i < 2 ? thread : thread + 4};
}
At b_16x8x8(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i == 0 ? thread : thread + 4, group};
}
// .s8 and .u8, m16n8k32.
At a_16x8x32(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  const int row = i < 4 || (i >= 8 && i < 12) ? group : group + 8;
  const int col = i < 8 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16;
  return {row, col};
}
At b_16x8x32(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 4 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16, group};
}
// The sum, all kinds.
At c_16x8(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? group : group + 8, thread * 2 + (i & 1)};
}

std::uint16_t half_bits(float x, Fragments kind) {
  if (kind == Fragments::bf16) return to_bf16(x).bits;
  // Small whole numbers alone: exponent and fraction of f16.
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  return x == 0 ? 0
                : static_cast<std::uint16_t>((bits >> 31) << 15 | ((bits >> 23 & 255u) - 112u) << 10 |
                                             (bits >> 13 & 1023u));
}

void check_mma(Fragments kind) {
  const bool wide = kind == Fragments::tf32;
  const int depth = wide ? 8 : 16, pairs = wide ? 1 : 2;
  float a[16][16], b[16][8], c[16][8];
  for (int r = 0; r < 16; ++r)
    for (int k = 0; k < depth; ++k) a[r][k] = static_cast<float>((r * 7 + k * 3) % 11 - 5);
  for (int k = 0; k < depth; ++k)
    for (int n = 0; n < 8; ++n) b[k][n] = static_cast<float>((k * 5 + n * 2) % 13 - 6);
  for (int r = 0; r < 16; ++r)
    for (int n = 0; n < 8; ++n) c[r][n] = static_cast<float>(r - n);
  std::vector<std::uint32_t> fa(32 * 4), fb(32 * 2);
  std::vector<float> fc(32 * 4);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4 * pairs; ++i) {
      const At at = wide ? a_16x8x8(lane, i) : a_16x8x16(lane, i);
      const float x = a[at.row][at.col];
      // The low 13 bits of a tf32 are not looked at.
      fa[static_cast<std::size_t>(lane * 4 + i / pairs)] |= wide ? __builtin_bit_cast(std::uint32_t, x) | 0x1fffu
                                                                 : static_cast<std::uint32_t>(half_bits(x, kind))
                                                                       << (i % 2 * 16);
    }
    for (int i = 0; i < 2 * pairs; ++i) {
      const At at = wide ? b_16x8x8(lane, i) : b_16x8x16(lane, i);
      const float x = b[at.row][at.col];
      fb[static_cast<std::size_t>(lane * 2 + i / pairs)] |=
          wide ? __builtin_bit_cast(std::uint32_t, x) : static_cast<std::uint32_t>(half_bits(x, kind)) << (i % 2 * 16);
    }
    for (int i = 0; i < 4; ++i)
      fc[static_cast<std::size_t>(lane * 4 + i)] = c[c_16x8(lane, i).row][c_16x8(lane, i).col];
  }
  in_all_orders([&](const char*) {
    const DeviceArray<std::uint32_t> da(fa), db(fb);
    const DeviceArray<float> dc(fc);
    CHECK(run_mma(stream(), kind, da.data(), db.data(), dc.data()) == device::Result::ok);
    const std::vector<float> got = dc.values();
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        const At at = c_16x8(lane, i);
        float sum = c[at.row][at.col];
        for (int k = 0; k < depth; ++k) sum += a[at.row][k] * b[k][at.col];
        CHECK_EQ(got[static_cast<std::size_t>(lane * 4 + i)], sum);
      }
  });
}

}  // namespace

// Bytes of every value, so that signs and the two kinds of b tell; the sum wraps at 32 bits.
TEST(mma_of_bytes_has_the_manuals_layout) {
  for (const bool is_unsigned : {false, true}) {
    int a[16][32], b[32][8], c[16][8];
    for (int r = 0; r < 16; ++r)
      for (int k = 0; k < 32; ++k) a[r][k] = (r * 37 + k * 11) % 256 - 128;
    for (int k = 0; k < 32; ++k)
      for (int n = 0; n < 8; ++n) b[k][n] = (k * 29 + n * 53) % 256 - (is_unsigned ? 0 : 128);
    for (int r = 0; r < 16; ++r)
      for (int n = 0; n < 8; ++n) c[r][n] = r * 1000 - n;
    c[15][7] = 0x7fffffff;
    std::vector<std::uint32_t> fa(32 * 4), fb(32 * 2);
    std::vector<std::int32_t> fc(32 * 4);
    const auto put = [](std::uint32_t& word, int i, int value) {
      word |= (static_cast<std::uint32_t>(value) & 0xffu) << (8 * (i % 4));
    };
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 16; ++i)
        put(fa[static_cast<std::size_t>(lane * 4 + i / 4)], i, a[a_16x8x32(lane, i).row][a_16x8x32(lane, i).col]);
      for (int i = 0; i < 8; ++i)
        put(fb[static_cast<std::size_t>(lane * 2 + i / 4)], i, b[b_16x8x32(lane, i).row][b_16x8x32(lane, i).col]);
      for (int i = 0; i < 4; ++i)
        fc[static_cast<std::size_t>(lane * 4 + i)] = c[c_16x8(lane, i).row][c_16x8(lane, i).col];
    }
    in_all_orders([&](const char*) {
      const DeviceArray<std::uint32_t> da(fa), db(fb);
      const DeviceArray<std::int32_t> dc(fc);
      CHECK(run_mma_bytes(stream(), is_unsigned, da.data(), db.data(), dc.data()) == device::Result::ok);
      const std::vector<std::int32_t> got = dc.values();
      for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < 4; ++i) {
          const At at = c_16x8(lane, i);
          std::uint32_t wanted = static_cast<std::uint32_t>(c[at.row][at.col]);
          for (int k = 0; k < 32; ++k) wanted += static_cast<std::uint32_t>(a[at.row][k] * b[k][at.col]);
          CHECK_EQ(got[static_cast<std::size_t>(lane * 4 + i)], static_cast<std::int32_t>(wanted));
        }
    });
  }
}

// PTX ISA 9.7.14.6.2, .bf16, m16n8k32: a lane's elements of A are the two kept in columns 4 (l % 4) to 4 (l % 4) + 3, and 16 further on; B has
// four words. The metadata of rows l / 4 and l / 4 + 8 come from a pair of lanes, 16 columns each. The others' words are not looked at.
TEST(mma_sparse_has_the_manuals_layout) {
  std::uint32_t state = 5;
  const auto draw = [&state](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % below;
  };
  float a[16][32] = {}, b[32][8], c[16][8];
  int places[16][8][2];
  for (int r = 0; r < 16; ++r)
    for (int four = 0; four < 8; ++four) {
      const int first = static_cast<int>(draw(3)),
                second = first + 1 + static_cast<int>(draw(static_cast<std::uint32_t>(3 - first)));
      places[r][four][0] = first, places[r][four][1] = second;
      a[r][four * 4 + first] = static_cast<float>(draw(15)) - 7,
                      a[r][four * 4 + second] = static_cast<float>(draw(15)) + 1;
    }
  for (int k = 0; k < 32; ++k)
    for (int n = 0; n < 8; ++n) b[k][n] = static_cast<float>((k * 5 + n * 3) % 17 - 8);
  for (int r = 0; r < 16; ++r)
    for (int n = 0; n < 8; ++n) c[r][n] = static_cast<float>(r - n);
  std::vector<std::uint32_t> fa(128), fb(128), kept(32, 0xffffffffu);
  std::vector<float> fc(128);
  const auto put = [](std::uint32_t& word, int i, float x) {
    word |= static_cast<std::uint32_t>(to_bf16(x).bits) << (i % 2 * 16);
  };
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane >> 2, thread = lane % 4;
    for (int i = 0; i < 8; ++i) {
      const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
      const int first_column = i < 4 ? thread * 4 : thread * 4 + 16;
      put(fa[static_cast<std::size_t>(lane * 4 + i / 2)], i,
          a[row][first_column + places[row][first_column / 4][i & 1]]);
      const int k = thread * 2 + (i & 1) + i / 2 * 8;
      put(fb[static_cast<std::size_t>(lane * 4 + i / 2)], i, b[k][group]);
    }
    for (int i = 0; i < 4; ++i)
      fc[static_cast<std::size_t>(lane * 4 + i)] = c[c_16x8(lane, i).row][c_16x8(lane, i).col];
    if (thread >= 2) continue;
    std::uint32_t& word = kept[static_cast<std::size_t>(lane)] = 0;
    for (int half = 0; half < 2; ++half)
      for (int four = 0; four < 4; ++four)
        for (int i = 0; i < 2; ++i)
          word |= static_cast<std::uint32_t>(places[group + half * 8][thread * 4 + four][i])
                  << (half * 16 + four * 4 + i * 2);
  }
  in_all_orders([&](const char*) {
    const DeviceArray<std::uint32_t> da(fa), db(fb), dk(kept);
    const DeviceArray<float> dc(fc);
    CHECK(run_mma_sparse(stream(), da.data(), db.data(), dk.data(), dc.data()) == device::Result::ok);
    const std::vector<float> got = dc.values();
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        const At at = c_16x8(lane, i);
        float sum = c[at.row][at.col];
        for (int k = 0; k < 32; ++k) sum += a[at.row][k] * b[k][at.col];
        CHECK_EQ(got[static_cast<std::size_t>(lane * 4 + i)], sum);
      }
  });
}

TEST(mma_m16n8k16_bf16) { check_mma(Fragments::bf16); }
TEST(mma_m16n8k16_f16) { check_mma(Fragments::f16); }
TEST(mma_m16n8k8_tf32) { check_mma(Fragments::tf32); }

// "Each thread in a warp holds a fragment of a row": lane l has elements 2 (l % 4) and one more of row l / 4 of every matrix; with .trans of
// column l / 4. Addresses of matrix m come from lanes 8 m to 8 m + 7.
TEST(ldmatrix_and_its_transpose) {
  std::vector<std::uint16_t> matrices(4 * 64);
  for (std::size_t i = 0; i < matrices.size(); ++i) matrices[i] = static_cast<std::uint16_t>(i * 257 + 3);
  in_all_orders([&](const char*) {
    for (const bool transposed : {false, true})
      for (const int count : {2, 4}) {
        const DeviceArray<std::uint16_t> from(matrices);
        const DeviceArray<std::uint32_t> to(static_cast<std::size_t>(32 * count));
        CHECK_MESSAGE(run_load_matrices(stream(), from.data(), to.data(), count, transposed) == device::Result::ok,
                      plugin().last_error());
        const std::vector<std::uint32_t> got = to.values();
        for (int lane = 0; lane < 32; ++lane)
          for (int m = 0; m < count; ++m)
            for (int half = 0; half < 2; ++half) {
              const int line = lane / 4, element = 2 * (lane % 4) + half;
              const int row = transposed ? element : line, col = transposed ? line : element;
              CHECK_EQ(got[static_cast<std::size_t>(lane * count + m)] >> (16 * half) & 0xffffu,
                       matrices[static_cast<std::size_t>(m * 64 + row * 8 + col)]);
            }
      }
  });
}

// cp.async writes 16 bytes, the ones past `valid` zero.
TEST(cp_async_fills_with_zeros) {
  const std::vector<std::uint32_t> from = {1, 2, 3, 4};
  for (const std::uint32_t valid : {0u, 4u, 12u, 16u}) {
    const DeviceArray<std::uint32_t> x(from), y(4);
    CHECK(run_async_fill(stream(), x.data(), y.data(), valid) == device::Result::ok);
    const std::vector<std::uint32_t> got = y.values();
    for (std::uint32_t i = 0; i < 4; ++i) CHECK_EQ(got[i], i * 4 < valid ? from[i] : 0u);
  }
}

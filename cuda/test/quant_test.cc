// Products with quantized weights on the emulated device: every kind of cell, groups that no step divides, holes, one scale for all; with
// x in f32 beside double sums, with x in integers beside sums of whole numbers, bit by bit.
#include <cmath>

#include "base/half.h"
#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;
using device::QuantCodes;
using device::QuantUse;

namespace {

struct Sample {
  const char* name;
  QuantCodes codes;
  int bits;
  Index M, N, K, group;
  bool sparse = false, whole = false, bf16 = false;
  Index table_size = 0;
};

constexpr auto kSymmetric = QuantCodes::symmetric, kAffine = QuantCodes::affine, kTable = QuantCodes::codebook;

const Sample kCases[] = {
    {"int8, one of all", kSymmetric, 8, 1, 1, 1, 1},
    {"int8, a row", kSymmetric, 8, 1, 70, 100, 100},
    {"int8, rows", kSymmetric, 8, 19, 33, 130, 130},
    {"int8, one scale, odd", kSymmetric, 8, 5, 17, 41, 41, false, true},
    {"uint8, groups", kAffine, 8, 21, 9, 100, 32},
    {"uint8, short last group", kAffine, 8, 3, 65, 70, 40, false, false, true},
    {"int4, groups of 32", kSymmetric, 4, 18, 70, 96, 32, false, false, true},
    {"int4, groups of 5", kSymmetric, 4, 17, 10, 23, 5},
    {"uint4, groups of 64, one row", kAffine, 4, 1, 40, 200, 64, false, false, true},
    {"uint4, one zero", kAffine, 4, 33, 12, 50, 50, false, true},
    {"int2", kSymmetric, 2, 20, 11, 67, 67},
    {"uint2", kAffine, 2, 4, 11, 67, 32},
    {"int5, cells over bytes", kSymmetric, 5, 17, 11, 45, 16},
    {"16 codes", kTable, 4, 9, 37, 90, 64, false, false, true, 16},
    {"11 codes", kTable, 4, 16, 8, 33, 33, false, false, false, 11},
    {"256 codes", kTable, 8, 3, 20, 65, 65, false, false, false, 256},
    {"int8, holes", kSymmetric, 8, 18, 13, 77, 77, true},
    {"uint4, holes, groups", kAffine, 4, 18, 13, 100, 32, true},
    {"16 codes, holes", kTable, 4, 2, 13, 40, 40, true, false, false, 16},
    {"nothing to add up", kSymmetric, 8, 3, 5, 0, 1},
};

struct Weight {
  Sample of;
  Index groups;
  std::vector<std::uint8_t> q, zero, bitmap;
  std::vector<float> scale, table;
  std::vector<std::int32_t> integers;  // (N, K)
  std::vector<double> values;          // (N, K), with scales
  float unit = 1;
};

void put(std::vector<std::uint8_t>& q, Index first_bit, int bits, int code) {
  for (int b = 0; b < bits; ++b) {
    const auto bit = static_cast<std::size_t>(first_bit + b);
    if (q.size() <= bit / 8) q.resize(bit / 8 + 1);
    q[bit / 8] = static_cast<std::uint8_t>(q[bit / 8] | (code >> b & 1) << (bit % 8));
  }
}

Weight draw(const Sample& c) {
  Weight w;
  w.of = c;
  w.groups = c.K > 0 ? (c.K + c.group - 1) / c.group : 0;
  const auto places = static_cast<std::size_t>(c.whole ? 1 : c.N * w.groups);
  std::uint32_t state = 12345;
  const auto next = [&](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return static_cast<int>((state >> 8) % below);
  };
  for (std::size_t i = 0; i < places; ++i) {
    float scale = 0.01f + 0.001f * static_cast<float>(next(100));
    if (c.bf16) scale = to_f32(to_bf16(scale));
    w.scale.push_back(scale);
    w.zero.push_back(static_cast<std::uint8_t>(next(1u << c.bits)));
  }
  for (Index i = 0; i < c.table_size; ++i) w.table.push_back(std::sin(static_cast<float>(i) * 1.7f));
  float most = 0;
  for (const float value : w.table) most = std::fmax(most, std::fabs(value));
  if (most > 0) w.unit = most / 127.0f;
  w.bitmap.resize(static_cast<std::size_t>(c.N * ((c.K + 7) / 8)));
  Index kept = 0;
  for (Index n = 0; n < c.N; ++n)
    for (Index k = 0; k < c.K; ++k) {
      const auto at = c.whole ? 0u : static_cast<std::size_t>(n * w.groups + k / c.group);
      if (c.sparse && next(3) == 0) {
        w.integers.push_back(0), w.values.push_back(0);
        continue;
      }
      if (c.sparse)
        w.bitmap[static_cast<std::size_t>(n * ((c.K + 7) / 8) + k / 8)] |= static_cast<std::uint8_t>(1 << (k % 8));
      const int code = next(c.codes == kTable ? static_cast<std::uint32_t>(c.table_size) : 1u << c.bits);
      if (c.sparse)
        put(w.q, kept++ * c.bits, c.bits, code);
      else
        put(w.q, n * ((c.K * c.bits + 7) / 8) * 8 + k * c.bits, c.bits, code);
      const int sign = 1 << (c.bits - 1);
      int integer = c.codes == kSymmetric ? (code ^ sign) - sign : code - w.zero[at];
      double value = integer;
      if (c.codes == kTable) {
        const float rounded = std::nearbyint(w.table[static_cast<std::size_t>(code)] / w.unit);
        integer = static_cast<int>(std::fmin(127.0f, std::fmax(-127.0f, rounded)));
        value = static_cast<double>(w.table[static_cast<std::size_t>(code)]);
      }
      w.integers.push_back(integer);
      w.values.push_back(value * static_cast<double>(w.scale[at]));
    }
  if (!c.sparse) w.q.resize(static_cast<std::size_t>(c.N * ((c.K * c.bits + 7) / 8)));
  return w;
}

// The weight in device memory, packed.
struct PackedWeight {
  DeviceArray<std::uint8_t> q, zero, bitmap;
  DeviceArray<float> scale, table;
  DeviceArray<std::uint16_t> halves;
  device::QuantPack args;
  std::unique_ptr<DeviceArray<std::byte>> to;

  static std::vector<std::uint16_t> rounded(const std::vector<float>& values) {
    std::vector<std::uint16_t> halves;
    for (const float value : values) halves.push_back(to_bf16(value).bits);
    return halves;
  }

  PackedWeight(const Weight& w, QuantUse use)
      : q(w.q), zero(w.zero), bitmap(w.bitmap), scale(w.scale), table(w.table), halves(rounded(w.scale)) {
    device::QuantizedWeight& d = args.w;
    d.codes = w.of.codes, d.bits = w.of.bits;
    d.N = w.of.N, d.K = w.of.K, d.group = w.of.group, d.groups = w.groups;
    d.q = q.data(), d.q_bytes = static_cast<Index>(w.q.size());
    d.scale = w.of.bf16 ? static_cast<const void*>(halves.data()) : scale.data();
    d.scale_dtype = w.of.bf16 ? DType::bf16 : DType::f32;
    d.one_scale = d.one_zero = w.of.whole;
    if (w.of.codes == kAffine) d.zero = zero.data();
    if (w.of.codes == kTable) d.table = table.data(), d.table_size = w.of.table_size;
    if (w.of.sparse) d.bitmap = bitmap.data();
    args.layout = device::quant_layout(d, use);
    to = std::make_unique<DeviceArray<std::byte>>(static_cast<std::size_t>(args.layout.bytes));
    args.to = to->data();
    launch(plugin().launch.quant_pack, args, w.of.name);
  }
};

std::vector<float> run(const Weight& w, QuantUse use, const std::vector<float>& x, const float* act) {
  const PackedWeight packed(w, use);
  const DeviceArray<float> dx(x), y(static_cast<std::size_t>(w.of.M * w.of.N));
  const DeviceArray<float> dact(act != nullptr ? std::vector<float>{act[0], act[1]} : std::vector<float>{});
  device::QuantMatmul product;
  product.M = w.of.M, product.w = packed.args.layout, product.packed = packed.args.to;
  product.x = dx.data(), product.y = y.data();
  product.is_static = act != nullptr, product.act = act != nullptr ? dact.data() : nullptr;
  if (!launch(plugin().launch.quant_matmul, product, w.of.name)) return {};
  return y.values(w.of.name);
}

// y as the CPU makes it of integers (kernels/quant/quant.h).
std::vector<float> of_integers(const Weight& w, const std::vector<float>& x, const float* act) {
  const Sample& c = w.of;
  std::vector<float> y;
  for (Index m = 0; m < c.M; ++m) {
    float most = 0;
    for (Index k = 0; k < c.K; ++k) most = std::fmax(most, std::fabs(x[static_cast<std::size_t>(m * c.K + k)]));
    float step = most / 127.0f, low = -127, high = 127;
    if (!(step > 0)) step = 1;
    if (act != nullptr) step = act[0], low = -act[1], high = 255 - act[1];
    for (Index n = 0; n < c.N; ++n) {
      float total = 0;
      for (Index g = 0; g < w.groups; ++g) {
        std::int64_t sum = 0;
        for (Index k = g * c.group; k < c.K && k < (g + 1) * c.group; ++k) {
          const float rounded = std::nearbyint(x[static_cast<std::size_t>(m * c.K + k)] / step);
          sum += static_cast<std::int64_t>(std::fmin(high, std::fmax(low, rounded))) *
                 w.integers[static_cast<std::size_t>(n * c.K + k)];
        }
        total =
            std::fma(static_cast<float>(sum), w.scale[c.whole ? 0 : static_cast<std::size_t>(n * w.groups + g)], total);
      }
      y.push_back(total * (step * w.unit));
    }
  }
  return y;
}

}  // namespace

TEST(products_of_floats_with_quantized_weights) {
  for (const Sample& c : kCases) {
    const Weight w = draw(c);
    const std::vector<float> x = numbers(static_cast<std::size_t>(c.M * c.K), 5);
    std::vector<double> wanted;
    for (Index m = 0; m < c.M; ++m)
      for (Index n = 0; n < c.N; ++n) {
        double sum = 0;
        for (Index k = 0; k < c.K; ++k)
          sum += static_cast<double>(x[static_cast<std::size_t>(m * c.K + k)]) *
                 w.values[static_cast<std::size_t>(n * c.K + k)];
        wanted.push_back(sum);
      }
    std::vector<float> first;
    in_all_orders([&](const char* order) {
      const std::vector<float> got = run(w, QuantUse::floats, x, nullptr);
      agree(got, wanted, 1e-6, 3e-5, std::string(c.name) + ", " + order);
      if (first.empty()) first = got;
      CHECK(first == got);
    });
  }
}

TEST(products_of_integers_are_the_cpus_bit_by_bit) {
  const float steps[][2] = {{0.0171f, 93}, {0.009f, 0}, {0.02f, 128}};
  for (const Sample& c : kCases) {
    const Weight w = draw(c);
    const std::vector<float> x = numbers(static_cast<std::size_t>(c.M * c.K), 6, 2);
    in_all_orders([&](const char* order) {
      for (int kind = -1; kind < 3; ++kind) {
        const float* act = kind < 0 ? nullptr : steps[kind];
        const std::vector<float> got = run(w, QuantUse::integers, x, act), wanted = of_integers(w, x, act);
        if (got != wanted) report(c.name, kind, std::string("bits differ, ") + order);
      }
    });
  }
}

TEST(large_tiles_of_quantized_products) {
  for (const Sample& c :
       {Sample{"int8", kSymmetric, 8, 1410, 1290, 70, 70}, Sample{"uint4", kAffine, 4, 1410, 1290, 70, 32}}) {
    const Weight w = draw(c);
    const std::vector<float> x = numbers(static_cast<std::size_t>(c.M * c.K), 6, 2);
    const std::vector<float> got = run(w, QuantUse::integers, x, nullptr);
    CHECK(got == of_integers(w, x, nullptr));
    const std::vector<float> floats = run(w, QuantUse::floats, x, nullptr);
    double worst = 0;
    for (std::size_t i = 0; i < floats.size(); i += 977) {
      const auto m = i / static_cast<std::size_t>(c.N), n = i % static_cast<std::size_t>(c.N);
      double sum = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(c.K); ++k)
        sum += static_cast<double>(x[m * static_cast<std::size_t>(c.K) + k]) *
               w.values[n * static_cast<std::size_t>(c.K) + k];
      worst = std::fmax(worst, std::fabs(sum - static_cast<double>(floats[i])));
    }
    CHECK(worst < 1e-4);
  }
}

// A row with a NaN is NaN, and for steps of their own one with an infinity; the others are as without them.
TEST(rows_that_are_no_numbers) {
  const Weight w = draw({"int8", kSymmetric, 8, 3, 9, 40, 40});
  std::vector<float> x = numbers(3 * 40, 7);
  x[5] = std::nanf(""), x[40 + 7] = INFINITY;
  const float act[] = {0.02f, 100};
  const std::vector<float> dynamic = run(w, QuantUse::integers, x, nullptr), fixed = run(w, QuantUse::integers, x, act);
  for (std::size_t i = 0; i < 27; ++i) {
    CHECK(std::isnan(dynamic[i]) == (i < 18));
    CHECK(std::isnan(fixed[i]) == (i < 9));
  }
}

// States in bf16 and in blocks of codes: the maps against Dettmers et al.'s own construction, the documented bounds of their errors, and the
// step with them against the f32 step between a decode and an encode, on every instruction set of the machine.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "optim/optimizer.h"
#include "test/optim_reference.h"
#include "test/test.h"
#include "test/threads.h"

namespace athanor::optim {
namespace {

using Bytes = std::vector<std::byte>;

constexpr StateFormat kBlocked[] = {StateFormat::signed8, StateFormat::unsigned8, StateFormat::signed4,
                                    StateFormat::unsigned4};

bool is_signed(StateFormat format) { return format == StateFormat::signed8 || format == StateFormat::signed4; }

Bytes encoded(StateFormat format, const std::vector<float>& x) {
  Bytes bytes(std::size_t(state_bytes(format, Index(x.size()))));
  kernel_table().optim.encode(format, x.data(), bytes.data(), Index(x.size()));
  return bytes;
}

std::vector<float> decoded(StateFormat format, const Bytes& bytes, std::size_t n) {
  std::vector<float> x(n);
  kernel_table().optim.decode(format, bytes.data(), x.data(), Index(n));
  return x;
}

// bitsandbytes' create_dynamic_map, magnitudes alone, and the linear map without zero of Li et al.: ascending.
std::vector<double> map_of(StateFormat format) {
  if (format == StateFormat::unsigned4) {
    std::vector<double> values;
    for (int k = 1; k <= 16; ++k) values.push_back(k / 16.0);
    return values;
  }
  const int exponents = has_bytes(format) ? 7 : 3;
  const int bits = (has_bytes(format) ? 8 : 4) - (is_signed(format) ? 1 : 0);
  std::vector<double> values{0};
  for (int i = 0; i < exponents; ++i) {
    const int items = 1 << (i + bits - exponents);
    for (int k = 0; k < items; ++k)
      values.push_back(std::pow(10.0, i - (exponents - 1)) * (0.1 + 0.9 * (k + 0.5) / items));
  }
  values.push_back(1);
  return values;
}

// Half of the steps of the decade that y lies in, at the edge of one those of the larger. The last value of a dynamic map is half a step
// below the scale.
double bound_of(StateFormat format, double y) {
  const std::vector<double> map = map_of(format);
  const auto above = std::lower_bound(map.begin(), map.end(), y);
  if (above == map.begin()) return map.front();
  if (above == map.end()) return 0;
  const double gap = *above - *(above - 1);
  const bool top = above + 1 == map.end();
  const double next = top ? 0 : *(above + 1) - *above;
  if (top && format != StateFormat::unsigned4) return gap;
  if (*(above - 1) == 0) return std::max(*above, y);
  return std::max(gap, next) / 2;
}

TEST(a_codec_has_the_values_of_the_published_map) {
  on_every_isa([](const std::string& isa) {
    for (const StateFormat format : kBlocked) {
      const std::vector<double> map = map_of(format);
      const bool both = is_signed(format);
      Bytes block(std::size_t(block_bytes(format)));
      const float scale = both ? -2.0f : 2.0f;
      std::memcpy(block.data(), &scale, 4);
      const int codes = has_bytes(format) ? 256 : 16;
      for (int c = 0; c < codes; ++c) block[std::size_t(4 + c)] = std::byte(c);
      const std::vector<float> values = decoded(format, block, std::size_t(codes));
      for (int c = 0; c < codes; ++c) {
        const int rank = !both ? c : c < codes / 2 ? c : c - codes;
        const double wanted = 2 * map[std::size_t(std::abs(rank))] * (rank > 0 && both ? -1 : 1);
        CHECK_MESSAGE(std::fabs(values[std::size_t(c)] - wanted) <= 1e-6 * std::fabs(wanted) + 1e-13,
                      isa + ": code " + std::to_string(c) + " is " + std::to_string(values[std::size_t(c)]));
      }
    }
  });
}

// Magnitudes over nine decades, blocks that are not full, zeros among them.
std::vector<float> spread(std::mt19937& random, std::size_t n, bool both) {
  std::uniform_real_distribution<float> exponent(-9, 0), sign(-1, 1);
  std::vector<float> x(n);
  for (float& each : x) {
    each = std::pow(10.0f, exponent(random));
    if (both && sign(random) < 0) each = -each;
    if (sign(random) > 0.9f) each = 0;
  }
  return x;
}

TEST(errors_of_codes_stay_within_half_a_step) {
  on_every_isa([](const std::string& isa) {
    std::mt19937 random(5);
    for (const StateFormat format : kBlocked) {
      for (const std::size_t n : {std::size_t(1), std::size_t(127), std::size_t(256), std::size_t(5000)}) {
        const std::vector<float> x = spread(random, n, is_signed(format));
        const std::vector<float> y = decoded(format, encoded(format, x), n);
        const auto block = std::size_t(block_elements(format));
        for (std::size_t b = 0; b < n; b += block) {
          const auto begin = x.begin() + std::ptrdiff_t(b), end = x.begin() + std::ptrdiff_t(std::min(n, b + block));
          float most = 0;
          std::for_each(begin, end, [&](float each) { most = std::max(most, std::fabs(each)); });
          for (std::size_t i = b; i < std::min(n, b + block); ++i) {
            const double share = most > 0 ? double(std::fabs(x[i])) / most : 0;
            const double bound = most * (bound_of(format, share) * (1 + 1e-5) + 2e-6);
            CHECK_MESSAGE(
                std::fabs(double(x[i]) - y[i]) <= bound,
                isa + ": " + std::to_string(x[i]) + " of " + std::to_string(most) + " became " + std::to_string(y[i]));
            if (std::fabs(x[i]) == most) CHECK(std::fabs(y[i]) >= 0.99f * most);
            if (!is_signed(format) && most > 0) CHECK(y[i] > 0);
          }
        }
      }
    }
  });
}

TEST(what_was_decoded_is_encoded_to_the_same_bits) {
  on_every_isa([](const std::string&) {
    std::mt19937 random(6);
    for (const StateFormat format : {StateFormat::bf16, StateFormat::signed8, StateFormat::unsigned8,
                                     StateFormat::signed4, StateFormat::unsigned4}) {
      for (const float size : {1.0f, 1e-30f, 1e30f}) {
        std::vector<float> x = spread(random, 3000, is_signed(format));
        for (float& each : x) each *= size;
        const Bytes once = encoded(format, x);
        const std::vector<float> y = decoded(format, once, x.size());
        CHECK(encoded(format, y) == once);
      }
      CHECK(decoded(format, encoded(format, std::vector<float>(300, 0.0f)), 300) == std::vector<float>(300, 0.0f));
    }
  });
}

struct Coded {
  std::vector<float> param, grad;
  std::vector<Bytes> states;
  std::vector<StateFormat> formats;
  Index n = 0;

  Coded(RuleId rule, StateCodec codec, Index n, std::mt19937& random) : n(n) {
    std::normal_distribution<float> normal(0, 0.5f);
    param.resize(std::size_t(n));
    grad.resize(std::size_t(n));
    for (float& each : param) each = normal(random);
    for (const StateInfo& state : info(rule).states) {
      formats.push_back(format_of(codec, state.range, std::max(n, kLeastCoded)));
      const float start = std::string(state.init) == "lr" ? 0.01f : 0;
      states.push_back(encoded(formats.back(), std::vector<float>(std::size_t(n), start)));
    }
  }

  void draw(std::mt19937& random) {
    std::normal_distribution<float> normal(0, 0.5f);
    for (float& each : grad) each = normal(random);
  }

  Segment segment() {
    Segment segment{param.data(), grad.data()};
    segment.n = n;
    for (std::size_t k = 0; k < states.size(); ++k) segment.state[k] = states[k].data(), segment.format[k] = formats[k];
    return segment;
  }
};

// Blocks: to the bits of a step in f32 between a decode and an encode. Whatever the cut of the work and the number of threads.
TEST(a_step_with_codes_is_the_f32_step_between_decode_and_encode) {
  on_every_isa([](const std::string& isa) {
    for (int r = 0; r < kRuleCount; ++r) {
      const RuleId rule = RuleId(r);
      if (info(rule).has_passes) continue;
      for (const StateCodec codec : {StateCodec::bits8, StateCodec::bits4}) {
        std::mt19937 random(7);
        std::vector<Coded> tensors;
        for (const Index n : {Index(5), Index(300), Index(70000)}) tensors.emplace_back(rule, codec, n, random);
        std::vector<Segment> segments;
        for (Coded& tensor : tensors) segments.push_back(tensor.segment());
        const OptimPlan plan(segments, rule);
        const std::vector<double> h = hypers(rule, {{"lr", 0.01}});
        test::Threads threads(3);
        for (int t = 1; t <= 3; ++t) {
          const Group group = prepare(rule, h, t);
          std::vector<Coded> wanted = tensors;
          for (std::size_t i = 0; i < tensors.size(); ++i) {
            tensors[i].draw(random);
            wanted[i].grad = tensors[i].grad;
            Coded& alone = wanted[i];
            std::vector<std::vector<float>> plain;
            Segment segment{alone.param.data(), alone.grad.data()};
            segment.n = alone.n;
            for (std::size_t k = 0; k < alone.states.size(); ++k)
              plain.push_back(decoded(alone.formats[k], alone.states[k], std::size_t(alone.n)));
            for (std::size_t k = 0; k < plain.size(); ++k) segment.state[k] = plain[k].data();
            Sequential sequential;
            step(OptimPlan({segment}, rule), {&group, 1}, {}, nullptr, sequential);
            for (std::size_t k = 0; k < plain.size(); ++k)
              if (group.state_mask[0] >> k & 1) alone.states[k] = encoded(alone.formats[k], plain[k]);
          }
          step(plan, {&group, 1}, {}, nullptr, threads);
          for (std::size_t i = 0; i < tensors.size(); ++i) {
            CHECK_MESSAGE(tensors[i].param == wanted[i].param, isa + ": " + info(rule).name + ", parameter");
            CHECK_MESSAGE(tensors[i].states == wanted[i].states, isa + ": " + info(rule).name + ", states");
          }
        }
      }
    }
  });
}

// A mean square moves by a thousandth a step, a quarter of a bf16 step: rounded to the nearest it would stand still.
TEST(means_in_bf16_decay_as_they_do_in_f32) {
  on_every_isa([](const std::string&) {
    std::mt19937 random(8);
    Coded tensor(RuleId::adamw, StateCodec::bf16, 20000, random);
    const OptimPlan plan({tensor.segment()}, RuleId::adamw);
    Sequential sequential;
    const auto run = [&](int t, float g) {
      std::fill(tensor.grad.begin(), tensor.grad.end(), g);
      const Group group = prepare(RuleId::adamw, hypers(RuleId::adamw, {}), t);
      step(plan, {&group, 1}, {}, nullptr, sequential);
    };
    run(1, 1.0f);
    for (int t = 2; t <= 701; ++t) run(t, 0.0f);
    const std::vector<float> squares = decoded(StateFormat::bf16, tensor.states[1], 20000);
    double sum = 0;
    for (const float each : squares) sum += each;
    const double wanted = 0.001 * std::pow(0.999, 700);
    CHECK_NEAR(sum / 20000, wanted, 0.005 * wanted);  // the mean of 20,000 walks, whose deviation is about 0.1 % of it
    CHECK(*std::min_element(squares.begin(), squares.end()) < *std::max_element(squares.begin(), squares.end()));
  });
}

TEST(small_tensors_and_slow_states_stay_in_f32) {
  CHECK(format_of(StateCodec::bits8, StateRange::signs, kLeastCoded - 1) == StateFormat::f32);
  CHECK(format_of(StateCodec::bits4, StateRange::positive, kLeastCoded) == StateFormat::unsigned4);
  CHECK(format_of(StateCodec::bits8, StateRange::exact, 1 << 20) == StateFormat::f32);
  CHECK(format_of(StateCodec::bf16, StateRange::signs, 1) == StateFormat::bf16);
}

}  // namespace
}  // namespace athanor::optim

// Copies, pads, fills, ranges and the loop's own kernels on the emulated device, beside plain loops.
#include <cstring>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

template <class T>
std::vector<T> counting(std::size_t n) {
  std::vector<T> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(i * 7 + 1);
  return values;
}

// y = x with its dimensions permuted.
template <class T>
void check_permutation(const std::vector<Index>& shape, const std::vector<int>& order) {
  const int rank = static_cast<int>(shape.size());
  std::vector<Index> strides(shape.size(), 1);
  for (int d = rank - 2; d >= 0; --d)
    strides[static_cast<std::size_t>(d)] =
        strides[static_cast<std::size_t>(d + 1)] * shape[static_cast<std::size_t>(d + 1)];
  Index n = 1;
  for (const Index extent : shape) n *= extent;
  const std::vector<T> from = counting<T>(static_cast<std::size_t>(n));
  std::vector<T> wanted;
  device::Copy args{};
  args.args.rank = rank, args.args.element_size = sizeof(T);
  Index y_stride = 1;
  for (int d = rank - 1; d >= 0; --d) {
    const auto source = static_cast<std::size_t>(order[static_cast<std::size_t>(d)]);
    args.args.shape[d] = shape[source];
    args.args.x_stride[d] = strides[source];
    args.args.y_stride[d] = y_stride;
    y_stride *= shape[source];
  }
  for (Index i = 0; i < n; ++i) {
    Index rest = i, at = 0;
    for (int d = rank - 1; d >= 0; --d) {
      at += rest % args.args.shape[d] * args.args.x_stride[d];
      rest /= args.args.shape[d];
    }
    wanted.push_back(from[static_cast<std::size_t>(at)]);
  }
  in_all_orders([&](const char* order_name) {
    const DeviceArray<T> x(from), y(from.size());
    args.args.x = x.data(), args.args.y = y.data();
    CHECK(launch(plugin().launch.copy, args, "copy"));
    CHECK_MESSAGE(y.values() == wanted, order_name);
  });
}

}  // namespace

TEST(permutations_of_every_element_size) {
  check_permutation<float>({40, 70}, {1, 0});
  check_permutation<std::uint8_t>({33, 65}, {1, 0});
  check_permutation<std::uint16_t>({3, 20, 17}, {2, 1, 0});
  check_permutation<double>({2, 3, 9, 11}, {0, 2, 1, 3});
  check_permutation<float>({2, 3, 9, 40}, {0, 3, 1, 2});
  check_permutation<float>({5, 1, 7}, {1, 2, 0});
  check_permutation<float>({1000}, {0});
  check_permutation<float>({0, 4}, {1, 0});
}

TEST(slices_with_steps_and_negative_strides) {
  const std::vector<float> from = counting<float>(60);
  const DeviceArray<float> x(from), y(10);
  device::Copy args{};
  args.args = {y.data(), x.data() + 59, 2, 4, {5, 2}, {2, 1}, {-12, -3}};
  CHECK(launch(plugin().launch.copy, args, "copy"));
  const std::vector<float> got = y.values();
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 2; ++j) CHECK_EQ(got[i * 2 + j], from[59 - i * 12 - j * 3]);
}

TEST(pads_fills_and_ranges) {
  const std::vector<float> from = counting<float>(6);
  const float value = -3;
  const DeviceArray<float> x(from), y(5 * 4), filled(1000), range(100);
  device::Pad pad{{y.data(), x.data(), &value, 2, 4, {2, 3}, {3, 1}, {1, 0}, {2, 1}}};
  CHECK(launch(plugin().launch.pad, pad, "pad"));
  const std::vector<float> got = y.values();
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 4; ++j)
      CHECK_EQ(got[i * 4 + j], i >= 1 && i < 3 && j < 3 ? from[(i - 1) * 3 + j] : value);
  CHECK(launch(plugin().launch.fill, device::Fill{{filled.data(), &value, 1000, 4}}, "fill"));
  CHECK(filled.values() == std::vector<float>(1000, value));
  CHECK(launch(plugin().launch.range, device::Range{{range.data(), DType::f32, 100, 2, 0.1}}, "range"));
  const std::vector<float> steps = range.values();
  for (int i = 0; i < 100; ++i) CHECK_EQ(steps[static_cast<std::size_t>(i)], static_cast<float>(2 + i * 0.1));
  const DeviceArray<std::uint8_t> bytes(7);
  const std::uint8_t one = 1;
  CHECK(launch(plugin().launch.fill, device::Fill{{bytes.data(), &one, 7, 1}}, "fill"));
  CHECK(bytes.values() == std::vector<std::uint8_t>(7, 1));
}

TEST(a_loop_of_turns_takes_and_leaves_its_rows) {
  const std::vector<std::uint8_t> samples = counting<std::uint8_t>(10 * 3);
  const std::vector<std::int32_t> order = {9, 1, 8, 2, 7, 3, 6, 4};
  in_all_orders([&](const char*) {
    const DeviceArray<std::uint8_t> x(samples);
    const DeviceArray<std::int32_t> index(order);
    const DeviceArray<float> batch(6);
    const DeviceArray<double> hypers(std::vector<double>{0.1, 0.2, 0.3, 0.4}), hyper(1), ring(4 * 2);
    const DeviceArray<float> collected(4 * 6), value(std::vector<float>{0.5f, 0.0f});
    const DeviceArray<device::RunRecord> run(1);
    CHECK(launch(plugin().launch.begin, device::Begin{run.data(), 11, 100, 0}, "begin"));
    device::BatchGather gather{{batch.data(), x.data(), index.data(), 0, DType::u8, DType::f32, 2, 10, 3, 0.5f, 1},
                               run.data()};
    for (int turn = 0; turn < 4; ++turn) {
      CHECK(launch(plugin().launch.batch_gather, gather, "batch_gather"));
      CHECK(launch(plugin().launch.turn_copy, device::TurnCopy{hyper.data(), hypers.data(), 8, 0, 8, run.data()},
                   "hyper"));
      CHECK(launch(plugin().launch.turn_copy, device::TurnCopy{collected.data(), batch.data(), 24, 24, 0, run.data()},
                   "collect"));
      CHECK(launch(plugin().launch.record,
                   device::Record{ring.data(), hyper.data(), DType::f64, 1, 0, 2, false, run.data()}, "record"));
      // The guard stops the loop in its third turn.
      if (turn == 2) value.set(1, 1);
      CHECK(launch(plugin().launch.record,
                   device::Record{ring.data(), value.data(), DType::f32, 1, 1, 2, false, run.data()}, "record"));
      CHECK(launch(plugin().launch.record,
                   device::Record{ring.data(), value.data(), DType::f32, 2, 0, 0, true, run.data()}, "guard"));
      CHECK(launch(plugin().launch.advance, device::Advance{run.data(), 2}, "advance"));
      if (turn < 2) {
        const std::vector<float> got = batch.values();
        for (std::size_t r = 0; r < 2; ++r)
          for (std::size_t c = 0; c < 3; ++c)
            CHECK_EQ(got[r * 3 + c],
                     static_cast<float>(
                         samples[static_cast<std::size_t>(order[static_cast<std::size_t>(turn) * 2 + r]) * 3 + c]) *
                             0.5f +
                         1);
        CHECK(hyper.values()[0] == 0.1 * (turn + 1) || hyper.values()[0] == 0.2);
      }
    }
    const device::RunRecord record = run.values()[0];
    CHECK_EQ(record.turn, 2);
    CHECK_EQ(record.step, 102u);
    CHECK_EQ(record.row, 4);
    CHECK_EQ(record.stop, 1u);
    const std::vector<double> kept = ring.as_it_is();
    CHECK(kept[2] == 0.2 && kept[3] == 0.5);  // the guard's own record lies over the first row
  });
}

TEST(captured_graphs_replay_what_was_launched) {
  const device::Plugin& table = plugin();
  const std::vector<float> from = counting<float>(64);
  const DeviceArray<float> x(from), y(64), z(64);
  CHECK(table.capture_begin(stream()) == device::Result::ok);
  const device::Copy negate{{y.data(), x.data() + 63, 1, 4, {64}, {1}, {-1}}};
  CHECK(table.launch.copy.run(stream(), negate, nullptr) == device::Result::ok);
  CHECK(table.copy(stream(), z.data(), y.data(), 256) == device::Result::ok);
  device::StepGraph* graph = nullptr;
  CHECK(table.capture_end(stream(), &graph) == device::Result::ok);
  const std::vector<float> before = y.as_it_is();
  CHECK(before[0] != from[63]);  // nothing has run yet
  CHECK(table.graph_launch(graph, stream()) == device::Result::ok);
  for (std::size_t i = 0; i < 64; ++i) CHECK(z.values()[i] == from[63 - i]);
  x.set(63, -5);
  CHECK(table.graph_launch(graph, stream()) == device::Result::ok);
  CHECK(z.values()[0] == -5.0f);
  CHECK(table.graph_destroy(graph) == device::Result::ok);
}

// Planted faults, each caught by name in all orders of threads and blocks; the right kernels beside them pass.
#include "cuda/test/faults.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/shadow.h"
#include "cuda/plugin/errors.h"
#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::cuda;
using namespace athanor::test;
using device::Result;
using emulator::Fault;

namespace {

constexpr std::size_t kMany = 4096;

// `launch(x, y)` must fail with that fault, whatever the order.
template <class Launch>
void expect_fault(Fault fault, Launch launch) {
  in_all_orders([&](const char* order) {
    const DeviceArray<float> x(numbers(kMany, 3)), y(kMany);
    const Result result = launch(x.data(), y.data());
    const std::string sentence = last_error();
    CHECK_MESSAGE(result == Result::failed && sentence.starts_with(emulator::name_of(fault)),
                  std::string(order) + ": expected \"" + emulator::name_of(fault) + "\", got " +
                      (result == Result::ok ? "no fault" : sentence));
  });
}

template <class Launch>
void expect_right(Launch launch) {
  in_all_orders([&](const char* order) {
    const DeviceArray<float> x(numbers(kMany, 3)), y(kMany);
    const Result result = launch(x.data(), y.data());
    CHECK_MESSAGE(result == Result::ok, std::string(order) + ": " + last_error());
  });
}

}  // namespace

TEST(missing_barrier) {
  expect_fault(Fault::missing_barrier, [](float* x, float* y) { return run_exchange(false, x, y); });
  expect_right([](float* x, float* y) { return run_exchange(true, x, y); });
}

TEST(missing_trailing_barrier_of_a_double_buffer) {
  expect_fault(Fault::missing_barrier, [](float* x, float* y) { return run_double_buffer(false, x, y, 4); });
  expect_right([](float* x, float* y) { return run_double_buffer(true, x, y, 4); });
}

TEST(missing_trailing_barrier_of_an_async_double_buffer) {
  expect_fault(Fault::missing_barrier, [](float* x, float* y) { return run_async_buffer(false, x, y, 4); });
  expect_right([](float* x, float* y) { return run_async_buffer(true, x, y, 4); });
}

TEST(divergent_barrier) {
  expect_fault(Fault::divergent_barrier, [](float*, float* y) { return run_divergent(y); });
}

TEST(a_lane_that_left_before_a_barrier) {
  expect_fault(Fault::divergent_barrier, [](float*, float* y) { return run_left_early(y); });
  expect_right([](float*, float* y) { return run_warp_left(y); });
}

TEST(async_wait_one_short) {
  expect_fault(Fault::async_read, [](float* x, float* y) { return run_wait_one_short(x, y); });
}

TEST(async_never_awaited) {
  expect_fault(Fault::async_unawaited, [](float* x, float* y) { return run_never_awaited(x, y); });
}

TEST(missing_syncwarp) {
  expect_fault(Fault::missing_syncwarp, [](float* x, float* y) { return run_warp_exchange(false, x, y); });
  expect_right([](float* x, float* y) { return run_warp_exchange(true, x, y); });
}

TEST(shuffle_mask_that_lacks_the_lane) {
  expect_fault(Fault::warp_mask, [](float* x, float* y) { return run_shuffle_mask(x, y); });
}

TEST(shuffle_mask_that_names_absent_lanes) {
  expect_fault(Fault::warp_mask, [](float* x, float* y) { return run_shuffle_absent(x, y); });
}

TEST(out_of_bounds_global) {
  in_all_orders([](const char* order) {
    const DeviceArray<float> x(numbers(128, 1)), y(128);
    CHECK(run_outside_global(x.data(), y.data()) == Result::failed);
    CHECK_MESSAGE(std::string(last_error()).starts_with("global memory out of bounds"),
                  std::string(order) + ": " + last_error());
  });
}

TEST(out_of_bounds_shared) {
  expect_fault(Fault::outside_shared, [](float*, float* y) { return run_outside_shared(y); });
}

TEST(misaligned_vector_load) {
  expect_fault(Fault::misaligned, [](float* x, float* y) { return run_misaligned(x, y); });
}

TEST(shared_overflow) {
  expect_fault(Fault::shared_overflow, [](float*, float* y) { return run_dynamic(y, 256 * 1024); });
  expect_fault(Fault::outside_shared, [](float*, float* y) { return run_dynamic(y, 100 * 4); });
  expect_right([](float*, float* y) { return run_dynamic(y, 128 * 4); });
}

TEST(unwritten_output) {
  in_all_orders([](const char*) {
    const DeviceArray<float> x(numbers(300, 1)), y(300);
    CHECK(run_unwritten(x.data(), y.data(), 300) == Result::ok);
    CHECK(!emulator::expect_written(y.data(), 300 * sizeof(float), "y"));
    CHECK_EQ(emulator::take_fault().sentence.starts_with("unwritten memory"), true);
    CHECK(emulator::expect_written(y.data(), 299 * sizeof(float), "y"));
    CHECK(!(y.data()[299] == y.data()[299]));  // and without the shadow it reads as NaN
  });
}

TEST(unwritten_shared_memory) {
  expect_fault(Fault::unwritten, [](float*, float* y) { return run_unwritten_shared(y); });
}

TEST(block_order_dependence) {
  expect_fault(Fault::block_order, [](float*, float* y) { return run_block_order(y, 4); });
  expect_fault(Fault::block_order, [](float* x, float*) { return run_sum_without_atomic(x); });
}

TEST(use_after_free) {
  in_all_orders([](const char* order) {
    const DeviceArray<float> y(kMany);
    float* freed = nullptr;
    {
      const DeviceArray<float> x(numbers(kMany, 1));
      freed = x.data();
    }
    CHECK(run_copy(freed, y.data()) == Result::failed);
    CHECK_MESSAGE(std::string(last_error()).starts_with("use after free"), std::string(order) + ": " + last_error());
  });
}

TEST(a_fault_leaves_the_next_launch_alone) {
  const DeviceArray<float> x(numbers(kMany, 1)), y(kMany);
  CHECK(run_divergent(y.data()) == Result::failed);
  CHECK(run_exchange(true, x.data(), y.data()) == Result::ok);
  for (int t = 0; t < 128; ++t) CHECK_EQ(y.data()[t], x.data()[127 - t]);
}

// What the tests of emulated kernels share: the three thread orders, device buffers, and numbers to feed.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulator/block.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/shadow.h"
#include "test/test.h"

namespace athanor::test {

struct Order {
  const char* name;
  emulator::Settings settings;
};
inline const std::vector<Order>& orders() {
  using emulator::ThreadOrder;
  static const std::vector<Order> all = {
      {"forward", {ThreadOrder::forward, 1, false}},
      {"reverse, blocks reversed", {ThreadOrder::reverse, 1, true}},
      {"seeded", {ThreadOrder::seeded, 20261130, false}},
  };
  return all;
}

// Calls body(order's name) once for every order.
template <class Body>
void in_all_orders(Body body) {
  const emulator::Settings before = emulator::settings();
  for (const Order& order : orders()) {
    emulator::settings() = order.settings;
    body(order.name);
  }
  emulator::settings() = before;
}

// Device memory that holds `values`, or nothing yet.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count)
      : count_(count), data_(static_cast<T*>(emulator::device_allocate((count > 0 ? count : 1) * sizeof(T)))) {}
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    if (!values.empty()) std::memcpy(static_cast<void*>(data_), values.data(), values.size() * sizeof(T));
    emulator::shadow_written(data_, count_ * sizeof(T));
  }
  DeviceArray(const DeviceArray&) = delete;
  ~DeviceArray() { emulator::device_release(data_); }

  T* data() const { return data_; }
  std::size_t size() const { return count_; }

  // All of it, which a kernel must have written.
  std::vector<T> values(const char* what = "result") const {
    if (!emulator::expect_written(data_, count_ * sizeof(T), what)) report(what, 0, emulator::take_fault().sentence);
    return {data_, data_ + count_};
  }

 private:
  std::size_t count_;
  T* data_;
};

// Numbers in [-1, 1) of a stream of their own.
inline std::vector<float> numbers(std::size_t count, std::uint64_t seed, float scale = 1) {
  std::vector<float> values(count);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 0x1234567;
  for (float& value : values) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    value = scale * (static_cast<float>(state >> 40) * 0x1p-23f - 1.0f);
  }
  return values;
}

}  // namespace athanor::test

// Tests of kernels go through the table, as the engine does: on the emulator, every access checked, and unchanged on a GPU (cuda/check).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/test/orders.h"
#include "device/plugin.h"
#include "test/test.h"

extern "C" const athanor::device::Plugin* athanor_device_plugin();

namespace athanor::test {

inline const device::Plugin& plugin() { return *athanor_device_plugin(); }

inline void require(device::Result result) {
  if (result != device::Result::ok) throw std::runtime_error(plugin().last_error());
}

// The stream of all tests.
inline device::Stream* stream() {
  static device::Stream* const all = [] {
    device::Stream* made = nullptr;
    require(plugin().stream_create(0, &made));
    return made;
  }();
  return all;
}

// Device memory that holds `values`, or nothing yet.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    void* memory = nullptr;
    require(plugin().allocate(0, static_cast<Index>((count > 0 ? count : 1) * sizeof(T)), &memory));
    data_ = static_cast<T*>(memory);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    require(plugin().upload(stream(), data_, values.data(), bytes()));
    require(plugin().stream_wait(stream()));
  }
  DeviceArray(const DeviceArray&) = delete;
  ~DeviceArray() { plugin().release(0, data_); }

  T* data() const { return data_; }
  std::size_t size() const { return count_; }

  void set(std::size_t i, T value) const {
    require(plugin().upload(stream(), data_ + i, &value, sizeof value));
    require(plugin().stream_wait(stream()));
  }

  // All of it, which a kernel must have written.
  std::vector<T> values(const char* what = "result") const {
    if (const std::string fault = unwritten(data_, static_cast<std::size_t>(bytes())); !fault.empty())
      report(what, 0, fault);
    return as_it_is();
  }

  // Whether or not it was written.
  std::vector<T> as_it_is() const {
    std::vector<T> values(count_);
    require(plugin().download(stream(), values.data(), data_, bytes()));
    require(plugin().stream_wait(stream()));
    return values;
  }

 private:
  Index bytes() const { return static_cast<Index>(count_ * sizeof(T)); }

  std::size_t count_;
  T* data_ = nullptr;
};

// Runs one launch of a family with the workspace that it asks for; a refusal or a fault fails the test with its sentence.
template <class Args>
bool launch(const device::Launcher<Args>& launcher, const Args& args, const char* what) {
  if (const char* why = launcher.refuses(args)) {
    report(what, 0, std::string("refused: ") + why);
    return false;
  }
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(launcher.workspace(args)));
  device::Result result = launcher.run(stream(), args, workspace.data());
  if (result == device::Result::ok) result = plugin().stream_wait(stream());
  if (result == device::Result::ok) return true;
  report(what, 0, plugin().last_error());
  return false;
}

// |got - wanted| <= bound for all elements, NaN where a NaN is wanted and nowhere else.
inline bool agree(const std::vector<float>& got, const std::vector<double>& wanted, double relative, double absolute,
                  const std::string& what) {
  if (got.size() != wanted.size()) {
    report(what.c_str(), 0, "sizes differ");
    return false;
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = wanted[i];
    const bool same = std::isnan(w)   ? std::isnan(g)
                      : std::isinf(w) ? g == w
                                      : std::fabs(g - w) <= relative * std::fabs(w) + absolute;
    if (same) continue;
    report(what.c_str(), 0,
           "element " + std::to_string(i) + ": got " + std::to_string(g) + ", wanted " + std::to_string(w));
    return false;
  }
  return true;
}

inline std::vector<double> doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

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

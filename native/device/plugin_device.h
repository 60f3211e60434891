// A device behind a plugin: memory with its figures, streams, and the calls of the table turned into exceptions. One a device and
// process.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "device/plugin.h"
#include "runtime/device.h"

namespace athanor::device {

class PluginDevice final : public Device {
 public:
  // Throws Code::device with the plugin's sentence where the device is not there.
  PluginDevice(const Plugin& plugin, int index, std::string name);
  ~PluginDevice();

  const std::string& name() const override { return name_; }
  std::byte* allocate(Index bytes) override;
  void release(std::byte* memory) noexcept override;
  void upload(std::byte* to, const void* from, Index bytes) override;
  void download(void* to, const std::byte* from, Index bytes) override;

  const Plugin& plugin() const { return plugin_; }
  int index() const { return index_; }
  DeviceInfo info() const;
  // Bytes that this process holds on the device.
  Index allocated() const { return allocated_.load(std::memory_order_relaxed); }

  // Throws where a call of the table did not come out well: `what` begins the sentence. Counts the calls.
  void require(Result result, const char* what) const;
  std::int64_t calls() const { return calls_.load(std::memory_order_relaxed); }

 private:
  const Plugin& plugin_;
  int index_;
  std::string name_;
  std::atomic<Index> allocated_{0};
  mutable std::atomic<std::int64_t> calls_{0};
  std::mutex transfer_mutex_;
  Stream* transfers_ = nullptr;
  struct Sizes;
  std::unique_ptr<Sizes> sizes_;
};

// Host memory that a device reads and writes by itself, freed with its holder.
class PinnedBlock {
 public:
  PinnedBlock(std::shared_ptr<PluginDevice> device, Index bytes);
  ~PinnedBlock();
  PinnedBlock(const PinnedBlock&) = delete;
  PinnedBlock& operator=(const PinnedBlock&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::shared_ptr<PluginDevice> device_;
  std::byte* data_ = nullptr;
};

}  // namespace athanor::device

// Values that programs of several devices read and write in turn: a block on the host, and a copy on each device that asked for
// one. What was written last counts; the others are brought up to date when they are next asked for, all of a buffer at a time. A
// model is thus nowhere in particular: a GPU trains it, the CPU saves it, without either being told.
//
// Who reads or writes holds the lock of what the buffer belongs to (an Arena); several readers at a time are fine.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/device.h"
#include "runtime/memory.h"

namespace athanor {

// Memory of a device, freed with its holder.
class DeviceBlock {
 public:
  DeviceBlock(std::shared_ptr<Device> device, Index bytes);
  ~DeviceBlock();
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;

  Device& device() const { return *device_; }
  std::byte* data() const { return data_; }
  Index bytes() const { return bytes_; }

 private:
  std::shared_ptr<Device> device_;
  std::byte* data_;
  Index bytes_;
};

class Buffer {
 public:
  // Zero-filled. Throws Code::memory.
  explicit Buffer(Index bytes) : home_(bytes) {}

  Index bytes() const { return home_.bytes(); }

  // The values on the host as they are now: downloaded first, where a device wrote them last.
  std::byte* host() const {
    if (newest_.load(std::memory_order_acquire) != nullptr) [[unlikely]]
      bring_home();
    return home_.data();
  }

  // The values on `device` as they are now: uploaded first where its copy is missing or old.
  std::byte* on(const std::shared_ptr<Device>& device) const;

  // Who has changed values in place says where, before it gives the lock back.
  void wrote_on_host();
  void wrote_on(const Device& device);

 private:
  struct Copy {
    DeviceBlock block;
    bool is_current = false;
  };
  void bring_home() const;
  Copy* copy_on(const Device& device) const;

  Block home_;
  mutable std::mutex mutex_;                           // of what follows: readers may be several
  mutable std::vector<std::unique_ptr<Copy>> copies_;  // at most one a device
  mutable std::atomic<const Copy*> newest_{nullptr};   // the copy that the host lags behind; null: it does not
  mutable std::atomic<bool> has_copies_{false};        // so that the CPU's writes cost nothing where there is no device
};

}  // namespace athanor

#include "runtime/buffer.h"

namespace athanor {

DeviceBlock::DeviceBlock(std::shared_ptr<Device> device, Index bytes)
    : device_(std::move(device)), data_(device_->allocate(bytes)), bytes_(bytes) {}

DeviceBlock::~DeviceBlock() {
  if (data_ != nullptr) device_->release(data_);
}

Buffer::Copy* Buffer::copy_on(const Device& device) const {
  for (const auto& copy : copies_) {
    if (&copy->block.device() == &device) return copy.get();
  }
  return nullptr;
}

void Buffer::bring_home() const {
  const std::lock_guard lock(mutex_);
  const Copy* newest = newest_.load(std::memory_order_relaxed);
  if (newest == nullptr) return;  // another reader was quicker
  newest->block.device().download(home_.data(), newest->block.data(), bytes());
  newest_.store(nullptr, std::memory_order_release);
}

std::byte* Buffer::on(const std::shared_ptr<Device>& device) const {
  {
    const std::lock_guard lock(mutex_);
    if (const Copy* copy = copy_on(*device); copy != nullptr && copy->is_current) return copy->block.data();
  }
  const std::byte* home = host();
  const std::lock_guard lock(mutex_);
  Copy* copy = copy_on(*device);
  if (copy == nullptr) {
    copies_.push_back(std::unique_ptr<Copy>(new Copy{DeviceBlock(device, bytes())}));
    copy = copies_.back().get();
    has_copies_ = true;
  }
  if (!copy->is_current && bytes() > 0) device->upload(copy->block.data(), home, bytes());
  copy->is_current = true;
  return copy->block.data();
}

void Buffer::wrote_on_host() {
  if (!has_copies_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  for (const auto& copy : copies_) copy->is_current = false;
}

void Buffer::wrote_on(const Device& device) {
  const std::lock_guard lock(mutex_);
  for (const auto& copy : copies_) copy->is_current = &copy->block.device() == &device;
  newest_.store(copy_on(device), std::memory_order_release);
}

}  // namespace athanor

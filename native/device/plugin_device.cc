#include "device/plugin_device.h"

#include <unordered_map>

namespace athanor::device {
namespace {

std::string mebibytes(Index bytes) { return std::to_string((bytes + (Index{1} << 20) - 1) >> 20) + " MiB"; }

}  // namespace

// What was asked for under each address: the plugin does not tell.
struct PluginDevice::Sizes {
  std::mutex mutex;
  std::unordered_map<const void*, Index> of;
};

PluginDevice::PluginDevice(const Plugin& plugin, int index, std::string name)
    : plugin_(plugin), index_(index), name_(std::move(name)), sizes_(std::make_unique<Sizes>()) {
  require(plugin_.stream_create(index_, &transfers_), "opening it");
}

PluginDevice::~PluginDevice() {
  if (transfers_ != nullptr) plugin_.stream_destroy(transfers_);
}

void PluginDevice::require(Result result, const char* what) const {
  calls_.fetch_add(1, std::memory_order_relaxed);
  if (result == Result::ok) [[likely]]
    return;
  const std::string reason = plugin_.last_error();
  const std::string head = "device " + name_ + ": " + what + " failed: " + reason;
  if (result == Result::out_of_memory) throw Error(Code::memory, head, {{"device", name_}});
  if (result == Result::device_lost) {
    throw Error(Code::device,
                head +
                    "; what was on it is lost: start the process again and resume from the last checkpoint, on this "
                    "device, another or the CPU",
                {{"device", name_}});
  }
  if (result == Result::unsupported) throw Error(Code::unsupported, head, {{"device", name_}});
  throw Error(Code::device, head, {{"device", name_}});
}

std::byte* PluginDevice::allocate(Index bytes) {
  void* memory = nullptr;
  if (bytes == 0) return nullptr;
  const Result result = plugin_.allocate(index_, bytes, &memory);
  if (result == Result::out_of_memory) {
    DeviceInfo now;
    const bool known = plugin_.device_info(index_, &now) == Result::ok;
    throw Error(Code::memory,
                "out of memory on device " + name_ + ": " + mebibytes(bytes) + " asked for" +
                    (known ? ", " + mebibytes(now.free_bytes) + " of " + mebibytes(now.total_bytes) + " free" : "") +
                    ", " + mebibytes(allocated()) +
                    " held by this process; use a smaller batch, dispose models and programs that are done, or run on "
                    "device \"cpu\"",
                {{"device", name_}});
  }
  require(result, "allocating memory");
  allocated_ += bytes;
  const std::lock_guard lock(sizes_->mutex);
  sizes_->of[memory] = bytes;
  return static_cast<std::byte*>(memory);
}

void PluginDevice::release(std::byte* memory) noexcept {
  {
    const std::lock_guard lock(sizes_->mutex);
    if (const auto found = sizes_->of.find(memory); found != sizes_->of.end()) {
      allocated_ -= found->second;
      sizes_->of.erase(found);
    }
  }
  plugin_.release(index_, memory);  // of a lost device it is gone already
}

void PluginDevice::upload(std::byte* to, const void* from, Index bytes) {
  const std::lock_guard lock(transfer_mutex_);
  require(plugin_.upload(transfers_, to, from, bytes), "an upload");
  require(plugin_.stream_wait(transfers_), "an upload");
}

void PluginDevice::download(void* to, const std::byte* from, Index bytes) {
  const std::lock_guard lock(transfer_mutex_);
  require(plugin_.download(transfers_, to, from, bytes), "a download");
  require(plugin_.stream_wait(transfers_), "a download");
}

DeviceInfo PluginDevice::info() const {
  DeviceInfo info;
  require(plugin_.device_info(index_, &info), "asking what it is");
  return info;
}

PinnedBlock::PinnedBlock(std::shared_ptr<PluginDevice> device, Index bytes) : device_(std::move(device)) {
  void* memory = nullptr;
  if (bytes > 0) device_->require(device_->plugin().allocate_pinned(bytes, &memory), "allocating host memory for it");
  data_ = static_cast<std::byte*>(memory);
}

PinnedBlock::~PinnedBlock() {
  if (data_ != nullptr) device_->plugin().release_pinned(data_);
}

}  // namespace athanor::device

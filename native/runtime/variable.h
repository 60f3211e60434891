// State that outlives a run: parameters, running statistics. A Variable is a named, typed view of an Arena; when an optimizer
// adopts parameters it moves them side by side into one flat arena, and every Program goes on reading through the Variable.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "base/function_ref.h"
#include "base/shape.h"
#include "runtime/buffer.h"

namespace athanor {

// One flat buffer and the lock that keeps a reader from seeing half a training step.
struct Arena {
  explicit Arena(Index bytes) : buffer(bytes) {}
  Buffer buffer;
  std::shared_mutex mutex;
};

class Variable {
 public:
  Variable(std::string name, Type type);

  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }
  const Type& type() const { return type_; }
  // The values on the host, and those on a device. The caller holds the arena's lock.
  std::byte* data() const { return arena_->buffer.host() + offset_; }
  std::byte* on(const std::shared_ptr<Device>& device) const { return arena_->buffer.on(device) + offset_; }
  // Throws Code::unsupported while it is vacant.
  const std::shared_ptr<Arena>& arena() const {
    if (vacant_.load(std::memory_order_relaxed)) throw_vacant();
    return arena_;
  }

  // Copies the values to `offset` of `arena` and reads from there on. The caller holds both arenas' locks.
  void move_to(std::shared_ptr<Arena> arena, Index offset);

  // Gives the memory back, as another rank has the values; who wants them is refused until occupy(), which makes them NaN.
  void vacate();
  void occupy();

  // Copies of all values, taken under the arena's lock; bytes must equal type().bytes().
  void read(void* to) const;
  void write(const void* from);

  // Counts the changes of the values. Whoever changes them in place says so, before it gives the arena's lock back.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void touch() {
    version_.fetch_add(1, std::memory_order_acq_rel);
    arena_->buffer.wrote_on_host();
  }
  void touch_on(const Device& device) {
    version_.fetch_add(1, std::memory_order_acq_rel);
    arena_->buffer.wrote_on(device);
  }

  // What `make` makes of the values as of `version`: once for all programs that hold on to it. The caller holds the locks of what
  // `make` reads; a second caller waits for the first one's result.
  std::shared_ptr<const Block> prepared(const std::string& key, std::uint64_t version,
                                        FunctionRef<std::shared_ptr<const Block>()> make);

  // u8, one byte an element: where it is 0, optimizers keep the value and its states at zero. Null: there is none.
  const std::shared_ptr<Variable>& mask() const { return mask_; }
  // Zeroes what the mask hides. The mask is not to be written to any more: another one takes its place.
  void set_mask(std::shared_ptr<Variable> mask);

 private:
  [[noreturn]] void throw_vacant() const;

  std::string name_;
  Type type_;
  std::shared_ptr<Arena> arena_;
  Index offset_ = 0;
  std::atomic<bool> vacant_{false};
  std::atomic<std::uint64_t> version_{0};
  std::mutex derived_mutex_;
  std::map<std::string, std::pair<std::uint64_t, std::weak_ptr<const Block>>> derived_;

  std::shared_ptr<Variable> mask_;
};

}  // namespace athanor

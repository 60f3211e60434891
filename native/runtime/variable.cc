#include "runtime/variable.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>

#include "base/error.h"

namespace athanor {

Variable::Variable(std::string name, Type type)
    : name_(std::move(name)), type_(type), arena_(std::make_shared<Arena>(type.bytes())) {}

void Variable::move_to(std::shared_ptr<Arena> arena, Index offset) {
  if (type_.bytes() > 0) std::memcpy(arena->buffer.host() + offset, data(), static_cast<std::size_t>(type_.bytes()));
  arena->buffer.wrote_on_host();
  arena_ = std::move(arena);
  offset_ = offset;
}

void Variable::vacate() {
  const std::shared_ptr<Arena> old = arena();
  const std::unique_lock lock(old->mutex);
  vacant_ = true;
  arena_ = std::make_shared<Arena>(0);
  offset_ = 0;
}

void Variable::occupy() {
  if (!vacant_) return;
  const auto arena = std::make_shared<Arena>(type_.bytes());
  if (type_.dtype == DType::f32)
    std::fill_n(reinterpret_cast<float*>(arena->buffer.host()), type_.count(), std::numeric_limits<float>::quiet_NaN());
  arena_ = arena;
  vacant_ = false;
  touch();
}

void Variable::throw_vacant() const {
  throw Error(Code::unsupported,
              "\"" + name_ +
                  "\" is not on this rank while the run takes its steps, as another stage of the pipeline has it; read "
                  "it after a validation, an epoch with a checkpoint, or the run");
}

void Variable::read(void* to) const {
  const std::shared_ptr<Arena> arena = this->arena();
  const std::shared_lock lock(arena->mutex);
  if (type_.bytes() > 0) std::memcpy(to, data(), static_cast<std::size_t>(type_.bytes()));
}

void Variable::write(const void* from) {
  const std::shared_ptr<Arena> arena = this->arena();
  const std::unique_lock lock(arena->mutex);
  if (type_.bytes() > 0) std::memcpy(data(), from, static_cast<std::size_t>(type_.bytes()));
  touch();
}

std::shared_ptr<const Block> Variable::prepared(const std::string& key, std::uint64_t version,
                                                FunctionRef<std::shared_ptr<const Block>()> make) {
  const std::lock_guard lock(derived_mutex_);
  auto& [made_at, held] = derived_[key];
  std::shared_ptr<const Block> block = held.lock();
  if (block != nullptr && made_at == version) return block;
  block = make();
  made_at = version;
  held = block;
  return block;
}

void Variable::set_mask(std::shared_ptr<Variable> mask) {
  const std::shared_ptr<Arena> arena = this->arena();
  const std::unique_lock lock(arena->mutex);
  if (mask != nullptr) {
    check(mask->type() == Type{DType::u8, type_.shape} && type_.dtype == DType::f32, Code::shape, [&] {
      return "mask of \"" + name_ + "\": expected u8 " + to_string(type_.shape) + " for f32 values, got " +
             to_string(mask->type()) + " for " + name_of(type_.dtype);
    });
    const auto* kept = reinterpret_cast<const std::uint8_t*>(mask->data());
    auto* values = reinterpret_cast<float*>(data());
    for (Index i = 0; i < type_.count(); ++i) values[i] = kept[i] != 0 ? values[i] : 0.0F;
    touch();
  }
  mask_ = std::move(mask);
}

}  // namespace athanor

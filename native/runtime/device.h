// A processor with memory of its own, as those see it who only hold or move data: what it computes is its backend's business. The
// CPU is no Device: its memory is Block.
#pragma once
#include <string>

#include "base/index.h"

namespace athanor {

class Device {
 public:
  virtual ~Device() = default;

  // "cuda:0", "cuda-emulated"
  virtual const std::string& name() const = 0;

  // Aligned to 256 bytes, of unspecified contents; null for 0 bytes. Throws Code::memory with the sizes and a way out.
  virtual std::byte* allocate(Index bytes) = 0;
  virtual void release(std::byte* memory) noexcept = 0;

  // Between host and device; done when they return. Throw Code::device where the device is lost.
  virtual void upload(std::byte* to, const void* from, Index bytes) = 0;
  virtual void download(void* to, const std::byte* from, Index bytes) = 0;
};

}  // namespace athanor

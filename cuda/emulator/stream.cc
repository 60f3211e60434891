#include "cuda/emulator/stream.h"

#include <memory>
#include <mutex>
#include <string>

#include "cuda/emulator/captured.h"
#include "cuda/emulator/fault.h"
#include "cuda/plugin/errors.h"

namespace athanor::emulator {

device::Result run_now(const LaunchShape& shape, void (*body)(const void*), const void* closure) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  cuda::count_launch();
  if (run_launch(shape, body, closure)) return device::Result::ok;
  return cuda::set_error(device::Result::failed, take_fault().sentence);
}

bool is_capturing(const device::Stream* stream) { return stream != nullptr && stream->capturing != nullptr; }

void note_launch(device::Stream* stream, const LaunchShape& shape, void (*body)(const void*), void* closure,
                 void (*destroy)(void*)) {
  stream->capturing->steps.emplace_back(
      [shape, body, kept = std::shared_ptr<void>(closure, destroy)] { return run_now(shape, body, kept.get()); });
}

}  // namespace athanor::emulator

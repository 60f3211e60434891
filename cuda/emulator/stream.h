// Streams of the emulator: a launch runs in the call, or is noted while a graph is captured.
#pragma once
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "cuda/emulator/block.h"
#include "device/plugin.h"

namespace athanor::emulator {

device::Result run_now(const LaunchShape& shape, void (*body)(const void*), const void* closure);

bool is_capturing(const device::Stream* stream);
void note_launch(device::Stream* stream, const LaunchShape& shape, void (*body)(const void*), void* closure,
                 void (*destroy)(void*));

template <class... P, class... A>
device::Result launch(const char* name, void (*kernel)(P...), Dim3 grid, Dim3 block, std::size_t shared,
                      device::Stream* stream, const A&... arguments) {
  using Closure = std::tuple<void (*)(P...), std::decay_t<P>...>;
  void (*const body)(const void*) = [](const void* closure) {
    std::apply([](auto* call, const auto&... values) { call(values...); }, *static_cast<const Closure*>(closure));
  };
  const LaunchShape shape{name, grid, block, static_cast<std::uint32_t>(shared)};
  if (!is_capturing(stream)) {
    const Closure closure(kernel, arguments...);
    return run_now(shape, body, &closure);
  }
  note_launch(stream, shape, body, new Closure(kernel, arguments...),
              [](void* closure) { delete static_cast<Closure*>(closure); });
  return device::Result::ok;
}

}  // namespace athanor::emulator

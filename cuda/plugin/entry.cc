// What the library exports.
#include "cuda/plugin/errors.h"
#include "cuda/plugin/families.h"
#include "cuda/plugin/runtime.h"

namespace athanor::cuda {
namespace {

device::Plugin make_plugin() {
  device::Plugin plugin;
  plugin.bytes = sizeof(device::Plugin);
  plugin.last_error = last_error;
  plugin.counters = counters;
  fill_runtime(plugin);
  fill_launchers(plugin.launch);
  return plugin;
}

}  // namespace
}  // namespace athanor::cuda

extern "C" __attribute__((visibility("default"))) const athanor::device::Plugin* athanor_device_plugin() {
  static const athanor::device::Plugin plugin = athanor::cuda::make_plugin();
  return &plugin;
}

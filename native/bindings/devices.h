// devices(): { name, available, detail, why, totalBytes, freeBytes, allocatedBytes }[] — all but the CPU
// deviceCalls(name): { calls, launches, copies, waits } — calls into its plugin since it was opened, and what the plugin counted: kernels
// launched, copies, waits; for tests
// setDeviceFolder(path): where builds of the package put plugins
#pragma once
#include "bindings/napi.h"

namespace athanor::bindings {

Napi::Value devices(const Napi::CallbackInfo& info);
Napi::Value set_device_folder(const Napi::CallbackInfo& info);
Napi::Value device_calls(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

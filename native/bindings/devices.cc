#include "bindings/devices.h"

#include "bindings/errors.h"
#include "bindings/values.h"
#include "device/devices.h"
#include "device/loader.h"

namespace athanor::bindings {

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Napi::Array list = Napi::Array::New(env);
    for (const device::Listed& device : device::list_devices()) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", device.name);
      entry.Set("available", device.available);
      entry.Set("detail", device.detail);
      entry.Set("why", device.why);
      entry.Set("totalBytes", static_cast<double>(device.total_bytes));
      entry.Set("freeBytes", static_cast<double>(device.free_bytes));
      entry.Set("allocatedBytes", static_cast<double>(device.allocated_bytes));
      list.Set(list.Length(), entry);
    }
    return list;
  });
}

Napi::Value set_device_folder(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    device::set_plugin_folder(to_text(info[0], "a path"));
    return info.Env().Undefined();
  });
}

Napi::Value device_calls(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto found = device::find_device(to_text(info[0], "a device"));
    check(found != nullptr, Code::argument, [] { return "deviceCalls: the CPU is called without a plugin"; });
    std::int64_t launches = 0, copies = 0, waits = 0;
    found->plugin().counters(&launches, &copies, &waits);
    Napi::Object calls = Napi::Object::New(env);
    calls.Set("calls", static_cast<double>(found->calls()));
    calls.Set("launches", static_cast<double>(launches));
    calls.Set("copies", static_cast<double>(copies));
    calls.Set("waits", static_cast<double>(waits));
    return calls;
  });
}

}  // namespace athanor::bindings

// new Cancel(): the flag that stops a run.
#include "bindings/classes.h"
#include "bindings/values.h"

namespace athanor::bindings {

AddonCancel::AddonCancel(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

Napi::Function AddonCancel::define(Napi::Env env) {
  return DefineClass(env, "Cancel", {InstanceMethod("cancel", &AddonCancel::cancel)});
}

void AddonCancel::cancel(const Napi::CallbackInfo&) { flag_->store(true); }

Cancelled to_cancelled(Napi::Env env, Napi::Value value) {
  if (value.IsUndefined() || value.IsNull()) return std::make_shared<std::atomic<bool>>(false);
  return unwrap<AddonCancel>(value, Environment::of(env).cancel, "Cancel").flag();
}

}  // namespace athanor::bindings

// What the addon keeps for each JavaScript environment (the main thread and every worker thread has its own): nothing of it
// may be a process-wide static, because environments come and go. Napi owns it through SetInstanceData and deletes it with
// the environment.
#pragma once
#include <napi.h>

namespace athanor::bindings {

class Environment final : public Napi::Addon<Environment> {
 public:
  Environment(Napi::Env env, Napi::Object exports);

 private:
  Napi::Value isa(const Napi::CallbackInfo& info);
  Napi::Value isas(const Napi::CallbackInfo& info);
  Napi::Value isa_warning(const Napi::CallbackInfo& info);
  Napi::Value set_isa(const Napi::CallbackInfo& info);
};

}  // namespace athanor::bindings

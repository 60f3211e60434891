// The door between JavaScript and the engine: registers what the addon exports. No maths here.
#include <string>

#include "bindings/environment.h"
#include "bindings/errors.h"
#include "kernels/dispatch.h"

namespace athanor::bindings {

Environment::Environment(Napi::Env env, Napi::Object exports) {
  DefineAddon(exports, {
                           InstanceValue("version", Napi::String::New(env, "0.1.0"), napi_enumerable),
                           InstanceMethod("isa", &Environment::isa, napi_enumerable),
                           InstanceMethod("isas", &Environment::isas, napi_enumerable),
                           InstanceMethod("isaWarning", &Environment::isa_warning, napi_enumerable),
                           InstanceMethod("setIsa", &Environment::set_isa, napi_enumerable),
                       });
}

// isa(): string — the instruction set in use.
Napi::Value Environment::isa(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), kernel_table().isa); });
}

// isas(): string[] — what this build has and this processor can run, best first.
Napi::Value Environment::isas(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Napi::Array names = Napi::Array::New(info.Env());
    for (const std::string& name : available_isas()) names.Set(names.Length(), name);
    return names;
  });
}

// isaWarning(): string — empty, or why ATHANOR_ISA was not followed.
Napi::Value Environment::isa_warning(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), athanor::isa_warning()); });
}

// setIsa(name): void — for tests and benchmarks.
Napi::Value Environment::set_isa(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = info[0].ToString();
    check(athanor::set_isa(name), Code::unsupported, [&] {
      std::string known;
      for (const std::string& isa : available_isas()) known += (known.empty() ? "" : ", ") + isa;
      return "setIsa: \"" + name + "\" is not available here; available: " + known;
    });
    return info.Env().Undefined();
  });
}

}  // namespace athanor::bindings

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return athanor::bindings::Environment::Init(env, exports);
}

}  // namespace

NODE_API_MODULE(athanor, initialize)

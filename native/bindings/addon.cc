// The door between JavaScript and the engine: registers what the addon exports. No maths here.
#include <string>

#include "bindings/environment.h"
#include "graph/op.h"
#include "kernels/dispatch.h"
#include "runtime/memory.h"
#include "runtime/thread_pool.h"

namespace athanor::bindings {

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

// setIsa(name): void — for programs compiled later; for tests and benchmarks.
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

// threads(): number — of the process's pool.
Napi::Value Environment::threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), athanor::threads());
}

// setThreads(n): void — for programs compiled later.
Napi::Value Environment::set_threads(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    athanor::set_threads(info[0].ToNumber().Int32Value());
    return info.Env().Undefined();
  });
}

// nativeBytes(): number — memory of tensors, of the whole process.
Napi::Value Environment::native_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Block::total()));
}

// opNames(): string[]
Napi::Value Environment::op_names(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const OpInfo* row : all_ops()) names.Set(names.Length(), row->name);
  return names;
}

}  // namespace athanor::bindings

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return athanor::bindings::Environment::Init(env, exports);
}

}  // namespace

NODE_API_MODULE(athanor, initialize)

// readSafetensors(path, operation): Promise<{ tensors: { name, dtype, shape, data: ArrayBuffer }[], metadata }>
// writeSafetensors(path, tensors: { name, dtype, shape, data: typed array }[], metadata, operation): Promise<void>
#pragma once
#include <napi.h>

#include "bindings/environment.h"

namespace athanor::bindings {

Napi::Value read_safetensors(const Napi::CallbackInfo& info);
Napi::Value write_safetensors(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

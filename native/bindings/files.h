// Files of artifacts. A folder is an open descriptor; `shown` is the path for sentences, which begin with the operation.
// xxh64(bytes): string of 16 hexadecimal digits
// readGraph(folder, name, shown, operation, most): Promise<ArrayBuffer>
// readSafetensors(folder, name, shown, operation, { bytes, xxh64 }?): Promise<{ name, dtype, shape, data: ArrayBuffer }[]>
// writeArtifact(place, graph, tensors: { name, dtype, shape, data: typed array }[], operation): Promise<void>
#pragma once
#include "bindings/napi.h"

#include "bindings/environment.h"

namespace athanor::bindings {

Napi::Value xxh64(const Napi::CallbackInfo& info);
Napi::Value read_graph(const Napi::CallbackInfo& info);
Napi::Value read_safetensors(const Napi::CallbackInfo& info);
Napi::Value write_artifact(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

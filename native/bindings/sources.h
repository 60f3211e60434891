// augmentImages(x: Uint8Array | Float32Array, shape, { flipLeftRight, flipUpDown, pad, cutout, fill, seed, epoch, first }): Promise<ArrayBuffer>
// readWindows(descriptor, bytes, starts: Float64Array, length, shown, operation): Promise<ArrayBuffer>
#pragma once
#include <napi.h>

#include "bindings/environment.h"

namespace athanor::bindings {

Napi::Value augment_images(const Napi::CallbackInfo& info);
Napi::Value read_windows(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

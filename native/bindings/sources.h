// augmentImages(x: Uint8Array | Float32Array, shape, { flipLeftRight, flipUpDown, pad, cutout, fill, rotate, brightness, contrast, saturation,
//   hue, bound, seed, epoch, first }): Promise<ArrayBuffer>
// blendSamples(x: Uint8Array | Float32Array, shape [n, C, H, W], y: Float32Array, { targets, isCut, alpha, share, seed, epoch, first }):
//   Promise<{ x: ArrayBuffer, y: ArrayBuffer }>
// readWindows(descriptor, bytes, starts: Float64Array, length, shown, operation): Promise<ArrayBuffer>
#pragma once
#include "bindings/napi.h"

#include "bindings/environment.h"

namespace athanor::bindings {

Napi::Value augment_images(const Napi::CallbackInfo& info);
Napi::Value blend_samples(const Napi::CallbackInfo& info);
Napi::Value read_windows(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

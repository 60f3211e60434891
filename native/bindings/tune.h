// propose(sampler, request): Promise<Float64Array> — rows of candidates, the best first
// quasiPoint(sequence, seed, index, dimensions): Float64Array
// nondominatedRanks(values, objectives): Float64Array
// hypervolume(values, reference): Promise<number>
// importance(method, space, rows, values, trees, seed): Promise<Float64Array> — a share for every dimension
#pragma once
#include "bindings/napi.h"

namespace athanor::bindings {

Napi::Value propose(const Napi::CallbackInfo& info);
Napi::Value quasi_point(const Napi::CallbackInfo& info);
Napi::Value nondominated_ranks(const Napi::CallbackInfo& info);
Napi::Value importance(const Napi::CallbackInfo& info);
Napi::Value hypervolume(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

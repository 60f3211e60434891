// What every loop over samples is asked for and answers, between JavaScript and the engine.
#pragma once
#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/environment.h"
#include "train/loop.h"

namespace athanor::bindings {

// { seed, epoch, shuffle, firstRow, steps, firstStep, hyper? }
std::shared_ptr<LoopRequest> to_loop_request(Napi::Value value, const Cancelled& cancelled);

// { steps, cancelled, guarded, records: Float64Array, collected: ArrayBuffer[], seconds }
Napi::Object from_loop_result(Napi::Env env, const LoopResult& result);

// Names of inputs or outputs; none for undefined.
std::vector<std::string> to_names(Napi::Value value);

}  // namespace athanor::bindings

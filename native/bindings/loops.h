// What every loop over samples is asked for and answers, between JavaScript and the engine.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "bindings/environment.h"
#include "bindings/napi.h"
#include "bindings/values.h"
#include "train/loop.h"
#include "train/shards.h"

namespace athanor::bindings {

// { seed, epoch, shuffle, firstRow, steps, firstStep, hyper? }
std::shared_ptr<LoopRequest> to_loop_request(Napi::Value value, const Cancelled& cancelled);

// "rows" | "count" | "sum"
LossKind to_loss_kind(Napi::Value value);

// { steps, cancelled, guarded, records: Float64Array, collected: ArrayBuffer[], seconds }
Napi::Object from_loop_result(Napi::Env env, const LoopResult& result);

// run(request, cancel?) of any loop: Promise of its result.
template <class AnyLoop>
Napi::Value run_loop(const Napi::CallbackInfo& info, const std::shared_ptr<AnyLoop>& loop) {
  const Cancelled cancelled = to_cancelled(info.Env(), info[1]);
  const auto request = to_loop_request(info[0], cancelled);
  const auto result = std::make_shared<LoopResult>();
  return Environment::of(info.Env())
      .submit(
          Environment::Lane::bulk, cancelled, [loop, request, result, cancelled] { *result = loop->run(*request); },
          [result](Napi::Env env) -> Napi::Value { return from_loop_result(env, *result); });
}

// Names of inputs or outputs; none for undefined.
std::vector<std::string> to_names(Napi::Value value);

}  // namespace athanor::bindings

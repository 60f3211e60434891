#include "bindings/loops.h"

namespace athanor::bindings {

std::shared_ptr<LoopRequest> to_loop_request(Napi::Value value, const Cancelled& cancelled) {
  const Napi::Object given = value.As<Napi::Object>();
  auto request = std::make_shared<LoopRequest>();
  request->seed = static_cast<std::uint64_t>(to_index(given.Get("seed"), "seed"));
  request->epoch = static_cast<std::uint64_t>(to_index(given.Get("epoch"), "epoch"));
  request->shuffle = given.Get("shuffle").ToBoolean();
  request->first_row = to_index(given.Get("firstRow"), "firstRow");
  request->steps = to_index(given.Get("steps"), "steps");
  request->first_step = static_cast<std::uint64_t>(to_index(given.Get("firstStep"), "firstStep"));
  if (given.Get("hyper").IsTypedArray()) request->hyper = to_reals(given.Get("hyper"), "hyper");
  request->cancelled = cancelled.get();
  return request;
}

Napi::Object from_loop_result(Napi::Env env, const LoopResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("steps", static_cast<double>(result.steps));
  object.Set("cancelled", result.cancelled);
  object.Set("guarded", result.guarded);
  const std::size_t count = result.records.size();
  object.Set("records", Napi::Float64Array::New(env, count, copied(env, result.records.data(), count * 8), 0));
  Napi::Array collected = Napi::Array::New(env);
  for (const auto& bytes : result.collected) collected.Set(collected.Length(), copied(env, bytes.data(), bytes.size()));
  object.Set("collected", collected);
  object.Set("seconds", result.seconds);
  return object;
}

LossKind to_loss_kind(Napi::Value value) {
  const std::string kind = to_text(value, "a kind of loss");
  return kind == "count" ? LossKind::count : kind == "sum" ? LossKind::sum : LossKind::rows;
}

std::vector<std::string> to_names(Napi::Value value) {
  std::vector<std::string> names;
  if (!value.IsArray()) return names;
  const Napi::Array array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    names.push_back(to_text(array.Get(i), "the name of an input or output"));
  return names;
}

}  // namespace athanor::bindings

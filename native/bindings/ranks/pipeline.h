// The loop of pipeline parallelism.
#pragma once
#include "bindings/classes.h"
#include "train/pipeline_loop.h"

namespace athanor::bindings {

class AddonPipelineLoop final : public Napi::ObjectWrap<AddonPipelineLoop> {
 public:
  explicit AddonPipelineLoop(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value spans(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<PipelineLoop> loop_;
};

}  // namespace athanor::bindings

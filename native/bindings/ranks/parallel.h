// Ranks, the exchange of gradients between them, and the loop of data parallelism.
#pragma once
#include "bindings/classes.h"
#include "ops/comm/rank_group.h"
#include "train/sharded_loop.h"

namespace athanor::bindings {

class AddonExchange final : public Napi::ObjectWrap<AddonExchange> {
 public:
  explicit AddonExchange(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  const std::shared_ptr<GradientExchange>& get() const { return alive(exchange_, "exchange of gradients"); }

 private:
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value page(const Napi::CallbackInfo& info);
  Napi::Value gather_parameters(const Napi::CallbackInfo& info);
  Napi::Value leave_parameters(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<GradientExchange> exchange_;
};

class AddonRankGroup final : public Napi::ObjectWrap<AddonRankGroup> {
 public:
  explicit AddonRankGroup(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<RankGroup> group);
  const std::shared_ptr<RankGroup>& get() const { return group_; }

 private:
  Napi::Value ranks(const Napi::CallbackInfo& info);
  Napi::Value rank(const Napi::CallbackInfo& info);
  std::shared_ptr<RankGroup> group_;
};

class AddonShardedLoop final : public Napi::ObjectWrap<AddonShardedLoop> {
 public:
  explicit AddonShardedLoop(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<ShardedLoop> loop_;
};

// The ranks that were joined. Throws where there are none.
std::shared_ptr<comm::Communicator> connected();

// Work that waits for other ranks, on the thread of `fit`; `settle` makes the promise's value, undefined without one.
Napi::Promise submit(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> settle = {});

// The functions on ranks, as they stand in the addon.
void define_ranks(Napi::Env env, Napi::Object exports);
void define_rank_variables(Napi::Env env, Napi::Object exports);

}  // namespace athanor::bindings

// The addon's classes, one JavaScript class a handle of the engine. Each holds a shared pointer that dispose() drops; whatever
// still runs keeps its own.
#pragma once
#include <memory>
#include <vector>

#include "bindings/environment.h"
#include "bindings/napi.h"
#include "graph/graph.h"
#include "ops/effects/optimizer_state.h"
#include "runtime/program.h"
#include "train/loop.h"

namespace athanor::bindings {

void define_classes(Environment& environment, Napi::Env env, Napi::Object exports);

// A handle's engine object; throws Code::disposed when it is gone.
template <class T>
const std::shared_ptr<T>& alive(const std::shared_ptr<T>& held, const char* what) {
  check(held != nullptr, Code::disposed,
        [&] { return std::string("this ") + what + " was disposed; make it anew to use it"; });
  return held;
}

// `value` as an instance of the addon's class Wrap; throws Code::argument.
template <class Wrap>
Wrap& unwrap(Napi::Value value, const Napi::FunctionReference& constructor, const char* what) {
  check(value.IsObject() && value.As<Napi::Object>().InstanceOf(constructor.Value()), Code::argument,
        [&] { return std::string("expected a ") + what; });
  return *Napi::ObjectWrap<Wrap>::Unwrap(value.As<Napi::Object>());
}

// A flag that JavaScript sets to stop a run.
class AddonCancel final : public Napi::ObjectWrap<AddonCancel> {
 public:
  explicit AddonCancel(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  const Cancelled& flag() const { return flag_; }

 private:
  void cancel(const Napi::CallbackInfo& info);
  Cancelled flag_ = std::make_shared<std::atomic<bool>>(false);
};

// The flag of an optional AddonCancel argument, or a fresh one.
Cancelled to_cancelled(Napi::Env env, Napi::Value value);

class AddonVariable final : public Napi::ObjectWrap<AddonVariable> {
 public:
  explicit AddonVariable(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Variable> variable);
  const std::shared_ptr<Variable>& get() const { return alive(variable_, "parameter"); }

 private:
  Napi::Value name(const Napi::CallbackInfo& info);
  void set_name(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value type(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value fill(const Napi::CallbackInfo& info);
  Napi::Value set_mask(const Napi::CallbackInfo& info);
  Napi::Value vacate(const Napi::CallbackInfo& info);
  Napi::Value occupy(const Napi::CallbackInfo& info);
  Napi::Value copy(const Napi::CallbackInfo& info);
  Napi::Value is(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<Variable> variable_;
};

class AddonGraph final : public Napi::ObjectWrap<AddonGraph> {
 public:
  explicit AddonGraph(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value input(const Napi::CallbackInfo& info);
  Napi::Value parameter(const Napi::CallbackInfo& info);
  Napi::Value constant(const Napi::CallbackInfo& info);
  Napi::Value scalar(const Napi::CallbackInfo& info);
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value type_of(const Napi::CallbackInfo& info);
  Napi::Value value_count(const Napi::CallbackInfo& info);
  Napi::Value gradients(const Napi::CallbackInfo& info);
  Napi::Value assign(const Napi::CallbackInfo& info);
  Napi::Value optimizer_step(const Napi::CallbackInfo& info);
  Napi::Value gradient_bucket(const Napi::CallbackInfo& info);
  Napi::Value collective(const Napi::CallbackInfo& info);
  Napi::Value set_scope(const Napi::CallbackInfo& info);
  Napi::Value set_outputs(const Napi::CallbackInfo& info);
  Napi::Value compile(const Napi::CallbackInfo& info);
  Napi::Value print(const Napi::CallbackInfo& info);
  Napi::Value passes(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Graph& get() const { return *alive(graph_, "graph"); }
  ValueId to_value(Napi::Value value) const;
  std::vector<ValueId> to_values(Napi::Value value) const;
  std::shared_ptr<Graph> graph_;
};

// Copies of the feeds of a run off the event loop.
using FeedBuffers = std::vector<std::vector<std::byte>>;

class AddonProgram final : public Napi::ObjectWrap<AddonProgram> {
 public:
  explicit AddonProgram(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Program> program);
  const std::shared_ptr<Program>& get() const { return alive(program_, "program"); }

 private:
  Napi::Value inputs(const Napi::CallbackInfo& info);
  Napi::Value outputs(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value run_sync(const Napi::CallbackInfo& info);
  Napi::Value profile(const Napi::CallbackInfo& info);
  Napi::Value report(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<Program> program_;
  std::vector<const void*> feeds_;  // of run_sync, kept to allocate once
  std::vector<void*> results_;
  std::shared_ptr<FeedBuffers> spare_feeds_ = std::make_shared<FeedBuffers>();  // touched on the JavaScript thread only
};

class AddonOptimizer final : public Napi::ObjectWrap<AddonOptimizer> {
 public:
  explicit AddonOptimizer(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  const std::shared_ptr<OptimizerState>& get() const { return alive(optimizer_, "optimizer"); }

 private:
  Napi::Value states(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value steps(const Napi::CallbackInfo& info);
  void set_steps(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value state_shape(const Napi::CallbackInfo& info);
  Napi::Value read_state(const Napi::CallbackInfo& info);
  Napi::Value write_state(const Napi::CallbackInfo& info);
  Napi::Value take_state(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::size_t state_at(const Napi::CallbackInfo& info) const;
  std::shared_ptr<OptimizerState> optimizer_;
};

class AddonDataset final : public Napi::ObjectWrap<AddonDataset> {
 public:
  explicit AddonDataset(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);
  const std::shared_ptr<Dataset>& get() const { return alive(dataset_, "data set"); }

 private:
  Napi::Value rows(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<Dataset> dataset_;
};

class AddonLoop final : public Napi::ObjectWrap<AddonLoop> {
 public:
  explicit AddonLoop(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value batch(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<Loop> loop_;
  std::vector<std::string> collect_;
};

}  // namespace athanor::bindings

// What the addon keeps for each JavaScript environment (the main thread and every worker thread has its own): nothing of it
// may be a process-wide static, because environments come and go. Napi owns it through SetInstanceData and deletes it with
// the environment. Work leaves the event loop through submit() and comes back through one thread-safe function.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "bindings/errors.h"
#include "bindings/napi.h"
#include "runtime/queue.h"

namespace athanor::bindings {

using Cancelled = std::shared_ptr<std::atomic<bool>>;

class Environment final : public Napi::Addon<Environment> {
 public:
  Environment(Napi::Env env, Napi::Object exports);
  ~Environment();

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // Predictions and what is short; training; files of a run's state, whose disk none of the others waits for; samples that are
  // read and changed ahead of the steps; samplers of a search.
  enum class Lane { quick, bulk, files, data, search };

  // Runs `work` on the lane's thread, then `settle` on the JavaScript thread to make the promise's value; what either throws
  // rejects the promise. The flag is set when the environment closes, so that the work ends soon.
  Napi::Promise submit(Lane lane, Cancelled cancelled, std::function<void()> work,
                       std::function<Napi::Value(Napi::Env)> settle);

  // Tells V8 how much native memory its handles keep; called where blocks are made or freed.
  void report_memory(Napi::Env env);

  Napi::FunctionReference variable, graph, program, optimizer, dataset, loop, cancel, exchange, sharded_loop,
      rank_group, pipeline_loop;

 private:
  struct Completion;
  static void complete(napi_env env, napi_value, void* context, void* data);
  void settle(Completion& completion, Napi::Env env);
  static void close(void* self);

  Napi::Value isa(const Napi::CallbackInfo& info);
  Napi::Value isas(const Napi::CallbackInfo& info);
  Napi::Value isa_warning(const Napi::CallbackInfo& info);
  Napi::Value set_isa(const Napi::CallbackInfo& info);
  Napi::Value threads(const Napi::CallbackInfo& info);
  Napi::Value set_threads(const Napi::CallbackInfo& info);
  Napi::Value native_bytes(const Napi::CallbackInfo& info);
  Napi::Value op_names(const Napi::CallbackInfo& info);

  napi_env env_;
  napi_threadsafe_function completions_ = nullptr;
  int pending_ = 0;
  std::int64_t reported_ = 0;
  std::mutex flags_mutex_;
  std::multiset<Cancelled> flags_;  // runs of one chain share theirs
  RunQueue queues_[5];              // by lane
  RunQueue& queue_of(Lane lane) { return queues_[static_cast<int>(lane)]; }
};

}  // namespace athanor::bindings

#include "bindings/environment.h"

#include "bindings/classes.h"
#include "bindings/devices.h"
#include "bindings/files.h"
#include "bindings/sources.h"
#include "bindings/state.h"
#include "bindings/tables.h"
#include "bindings/tune.h"
#include "runtime/memory.h"

namespace athanor::bindings {

struct Environment::Completion {
  Napi::Promise::Deferred deferred;
  Cancelled cancelled;
  std::function<void()> work;
  std::function<Napi::Value(Napi::Env)> settle;
  std::exception_ptr failure;
};

Environment::~Environment() = default;

Napi::Promise Environment::submit(Lane lane, Cancelled cancelled, std::function<void()> work,
                                  std::function<Napi::Value(Napi::Env)> settle) {
  auto* completion =
      new Completion{Napi::Promise::Deferred::New(env_), cancelled, std::move(work), std::move(settle), nullptr};
  {
    const std::lock_guard lock(flags_mutex_);
    flags_.insert(cancelled);
  }
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, completions_);
  const Napi::Promise promise = completion->deferred.Promise();
  // Dropped jobs free their completion with the queue: the shared pointer is the job's.
  std::shared_ptr<Completion> owned(completion);
  queue_of(lane).submit([this, owned]() mutable {
    try {
      owned->work();
    } catch (...) {
      owned->failure = std::current_exception();
    }
    auto* box = new std::shared_ptr<Completion>(std::move(owned));
    if (napi_call_threadsafe_function(completions_, box, napi_tsfn_nonblocking) != napi_ok) delete box;
  });
  return promise;
}

void Environment::complete(napi_env raw, napi_value, void* context, void* data) {
  const std::unique_ptr<std::shared_ptr<Completion>> box(static_cast<std::shared_ptr<Completion>*>(data));
  if (raw == nullptr) return;  // the environment is closing
  auto& self = *static_cast<Environment*>(context);
  Completion& completion = **box;
  {
    const std::lock_guard lock(self.flags_mutex_);
    self.flags_.extract(completion.cancelled);
  }
  if (--self.pending_ == 0) napi_unref_threadsafe_function(raw, self.completions_);
  try {
    self.settle(completion, Napi::Env(raw));
  } catch (const Napi::Error&) {
    // A worker that is being terminated runs no more JavaScript: nobody is left to tell.
  }
}

void Environment::settle(Completion& completion, Napi::Env env) {
  const Napi::HandleScope scope(env);
  report_memory(env);
  try {
    if (completion.failure) std::rethrow_exception(completion.failure);
    completion.deferred.Resolve(completion.settle(env));
  } catch (const Napi::Error& error) {
    completion.deferred.Reject(error.Value());
  } catch (...) {
    completion.deferred.Reject(to_js_error(env, current_error()).Value());
  }
}

// The environment goes away, perhaps in mid-step: what runs is told to stop and waited for (one step at most).
void Environment::close(void* data) {
  auto& self = *static_cast<Environment*>(data);
  {
    const std::lock_guard lock(self.flags_mutex_);
    for (const Cancelled& flag : self.flags_) flag->store(true);
  }
  for (RunQueue& queue : self.queues_) queue.stop();
  napi_release_threadsafe_function(self.completions_, napi_tsfn_abort);
}

void Environment::report_memory(Napi::Env env) {
  const std::int64_t now = Block::total();
  if (now != reported_) Napi::MemoryManagement::AdjustExternalMemory(env, now - reported_);
  reported_ = now;
}

Environment::Environment(Napi::Env env, Napi::Object exports) : env_(env) {
  define_classes(*this, env, exports);
  exports.Set("readSafetensors", Napi::Function::New(env, read_safetensors, "readSafetensors"));
  exports.Set("writeArtifact", Napi::Function::New(env, write_artifact, "writeArtifact"));
  exports.Set("readGraph", Napi::Function::New(env, read_graph, "readGraph"));
  exports.Set("xxh64", Napi::Function::New(env, xxh64, "xxh64"));
  exports.Set("makeVariables", Napi::Function::New(env, make_variables, "makeVariables"));
  exports.Set("copyVariables", Napi::Function::New(env, copy_variables, "copyVariables"));
  exports.Set("writeState", Napi::Function::New(env, write_state, "writeState"));
  exports.Set("readState", Napi::Function::New(env, read_state, "readState"));
  exports.Set("removeState", Napi::Function::New(env, remove_state, "removeState"));
  exports.Set("augmentImages", Napi::Function::New(env, augment_images, "augmentImages"));
  exports.Set("blendSamples", Napi::Function::New(env, blend_samples, "blendSamples"));
  exports.Set("readWindows", Napi::Function::New(env, read_windows, "readWindows"));
  exports.Set("csvRule", Napi::Function::New(env, csv_rule, "csvRule"));
  exports.Set("scanCsv", Napi::Function::New(env, scan_csv, "scanCsv"));
  exports.Set("devices", Napi::Function::New(env, devices, "devices"));
  exports.Set("setDeviceFolder", Napi::Function::New(env, set_device_folder, "setDeviceFolder"));
  exports.Set("deviceCalls", Napi::Function::New(env, device_calls, "deviceCalls"));
  exports.Set("readVariables", Napi::Function::New(env, read_variables, "readVariables"));
  exports.Set("propose", Napi::Function::New(env, propose, "propose"));
  exports.Set("quasiPoint", Napi::Function::New(env, quasi_point, "quasiPoint"));
  exports.Set("nondominatedRanks", Napi::Function::New(env, nondominated_ranks, "nondominatedRanks"));
  exports.Set("importance", Napi::Function::New(env, importance, "importance"));
  exports.Set("hypervolume", Napi::Function::New(env, hypervolume, "hypervolume"));
  DefineAddon(exports, {
                           InstanceValue("version", Napi::String::New(env, "0.1.0"), napi_enumerable),
                           InstanceMethod("isa", &Environment::isa, napi_enumerable),
                           InstanceMethod("isas", &Environment::isas, napi_enumerable),
                           InstanceMethod("isaWarning", &Environment::isa_warning, napi_enumerable),
                           InstanceMethod("setIsa", &Environment::set_isa, napi_enumerable),
                           InstanceMethod("threads", &Environment::threads, napi_enumerable),
                           InstanceMethod("setThreads", &Environment::set_threads, napi_enumerable),
                           InstanceMethod("nativeBytes", &Environment::native_bytes, napi_enumerable),
                           InstanceMethod("opNames", &Environment::op_names, napi_enumerable),
                       });
  napi_value name = Napi::String::New(env, "athanor");
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                                             complete, &completions_);
  if (status != napi_ok) throw Napi::Error::New(env, "athanor: the engine could not join this event loop");
  napi_unref_threadsafe_function(env, completions_);
  napi_add_env_cleanup_hook(env, close, this);
}

}  // namespace athanor::bindings

// A compiled program: run off the event loop, or at once for work of microseconds.
#include <cstring>
#include <optional>

#include "bindings/classes.h"
#include "bindings/values.h"
#include "runtime/thread_pool.h"

namespace athanor::bindings {

AddonProgram::AddonProgram(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    check(info[0].IsExternal(), Code::argument, [] { return "a Program is made by Graph.compile"; });
    program_ = *info[0].As<Napi::External<std::shared_ptr<Program>>>().Data();
    feeds_.resize(program_->inputs().size());
    results_.resize(program_->outputs().size());
  });
}

Napi::Function AddonProgram::define(Napi::Env env) {
  return DefineClass(env, "Program",
                     {
                         InstanceAccessor("inputs", &AddonProgram::inputs, nullptr),
                         InstanceAccessor("outputs", &AddonProgram::outputs, nullptr),
                         InstanceMethod("run", &AddonProgram::run),
                         InstanceMethod("runSync", &AddonProgram::run_sync),
                         InstanceMethod("profile", &AddonProgram::profile),
                         InstanceMethod("report", &AddonProgram::report),
                         InstanceMethod("dispose", &AddonProgram::dispose),
                     });
}

Napi::Object AddonProgram::wrap(Napi::Env env, std::shared_ptr<Program> program) {
  return Environment::of(env).program.New({Napi::External<std::shared_ptr<Program>>::New(env, &program)});
}

Napi::Value AddonProgram::inputs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return from_ports(info.Env(), get()->inputs()); });
}

Napi::Value AddonProgram::outputs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return from_ports(info.Env(), get()->outputs()); });
}

namespace {

// What a run off the event loop owns: copies of its feeds, and the JavaScript arrays that its results go to.
struct Run {
  std::shared_ptr<Program> program;
  FeedBuffers feeds;
  std::vector<const void*> feed_pointers;
  std::vector<void*> result_pointers;
  Napi::ObjectReference results;  // keeps the arrays alive; touched on the JavaScript thread only
  std::uint64_t seed = 0, step = 0;
  Cancelled cancelled;
  std::optional<std::size_t> guard;  // the output whose last number tells that the run came to nothing

  bool has_failed() const {
    if (!guard) return false;
    const Index last = program->outputs()[*guard].type.count() - 1;
    return static_cast<const double*>(result_pointers[*guard])[last] != 0;
  }
};

RunRequest request_of(const Run& run, Parallel& parallel) {
  RunRequest request;
  request.feeds = run.feed_pointers;
  request.results = run.result_pointers;
  request.seed = run.seed;
  request.step = run.step;
  request.parallel = &parallel;
  request.cancelled = run.cancelled.get();
  return request;
}

std::size_t to_guard(Napi::Value value, const Run& run) {
  const auto guard = static_cast<std::size_t>(to_index(value, "run: the guard"));
  check(guard < run.result_pointers.size() && run.result_pointers[guard] != nullptr &&
            run.program->outputs()[guard].type.dtype == DType::f64 && run.program->outputs()[guard].type.count() > 0,
        Code::argument, [] { return "run: the guard must be an f64 output that is asked for"; });
  return guard;
}

// A run that fails takes along those that wait behind it with the same flag.
void run_in_chain(const Run& run) {
  const auto threads = pool();
  try {
    run.program->run(request_of(run, *threads));
  } catch (...) {
    run.cancelled->store(true);
    throw;
  }
  if (run.has_failed()) run.cancelled->store(true);
}

// `spare`: buffers of an earlier run, so that a loop of steps does not ask the system for new pages every time.
std::shared_ptr<Run> prepare(const Napi::CallbackInfo& info, const std::shared_ptr<Program>& program,
                             FeedBuffers& spare) {
  check(info[0].IsArray() && info[1].IsArray(), Code::argument,
        [] { return "run: expected arrays of feeds and results"; });
  const Napi::Array feeds = info[0].As<Napi::Array>(), results = info[1].As<Napi::Array>();
  check(feeds.Length() == program->inputs().size() && results.Length() == program->outputs().size(), Code::argument,
        [&] {
          return "run: expected " + std::to_string(program->inputs().size()) + " feeds and " +
                 std::to_string(program->outputs().size()) + " results";
        });
  auto run = std::make_shared<Run>();
  run->program = program;
  run->feeds.swap(spare);
  run->feeds.resize(feeds.Length());
  for (std::uint32_t i = 0; i < feeds.Length(); ++i) {
    const Port& port = program->inputs()[i];
    const std::byte* data = to_bytes_of(feeds.Get(i), port.type, "run: input \"" + port.name + "\"");
    run->feeds[i].assign(data, data + port.type.bytes());
  }
  for (const auto& feed : run->feeds) run->feed_pointers.push_back(feed.data());
  for (std::uint32_t i = 0; i < results.Length(); ++i) {
    const Napi::Value result = results.Get(i);
    const Port& port = program->outputs()[i];
    run->result_pointers.push_back(
        result.IsTypedArray() ? to_bytes_of(result, port.type, "run: output \"" + port.name + "\"") : nullptr);
  }
  run->results = Napi::Persistent(results.As<Napi::Object>());
  run->seed = static_cast<std::uint64_t>(to_index(info[2], "run: the seed"));
  run->step = static_cast<std::uint64_t>(to_index(info[3], "run: the step"));
  run->cancelled = to_cancelled(info.Env(), info[4]);
  if (info[5].IsNumber()) run->guard = to_guard(info[5], *run);
  return run;
}

}  // namespace

// run(feeds, results, seed, step, cancel?, guard?): Promise<void> — feeds are copied now, results written before it resolves.
// Runs that share `cancel` are a chain: none begins after one that failed, or whose output number `guard` does not end in 0.
Napi::Value AddonProgram::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<Run> run = prepare(info, get(), *spare_feeds_);
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, run->cancelled, [run] { run_in_chain(*run); },
            [run, spare = spare_feeds_](Napi::Env env) -> Napi::Value {
              run->results.Reset();
              spare->swap(run->feeds);
              return env.Undefined();
            });
  });
}

// runSync(feeds, results, seed, step): void — on this thread, reading and writing the arrays where they are; a null result is
// not wanted
Napi::Value AddonProgram::run_sync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<Program>& program = get();
    const Napi::Array feeds = info[0].As<Napi::Array>(), results = info[1].As<Napi::Array>();
    for (std::uint32_t i = 0; i < feeds_.size(); ++i) {
      const Bytes bytes = to_bytes(feeds.Get(i), "a feed");
      if (bytes.length != program->inputs()[i].type.bytes()) {
        to_bytes_of(feeds.Get(i), program->inputs()[i].type, "runSync: input \"" + program->inputs()[i].name + "\"");
      }
      feeds_[i] = bytes.data;
    }
    for (std::uint32_t i = 0; i < results_.size(); ++i) {
      const Napi::Value result = results.Get(i);
      if (result.IsNull()) {
        results_[i] = nullptr;
        continue;
      }
      const Bytes bytes = to_bytes(result, "a result");
      if (bytes.length != program->outputs()[i].type.bytes()) {
        to_bytes_of(result, program->outputs()[i].type, "runSync: output \"" + program->outputs()[i].name + "\"");
      }
      results_[i] = bytes.data;
    }
    const auto threads = pool();
    RunRequest request;
    request.feeds = feeds_;
    request.results = results_;
    request.seed = static_cast<std::uint64_t>(info[2].As<Napi::Number>().Int64Value());
    request.step = static_cast<std::uint64_t>(info[3].As<Napi::Number>().Int64Value());
    request.parallel = threads.get();
    program->run(request);
    return info.Env().Undefined();
  });
}

// profile(feeds, results, seed, step): Promise<Float64Array> — seconds of every step
Napi::Value AddonProgram::profile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<Run> run = prepare(info, get(), *spare_feeds_);
    const auto seconds = std::make_shared<std::vector<double>>();
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::quick, run->cancelled,
            [run, seconds] {
              const auto threads = pool();
              *seconds = run->program->profile(request_of(*run, *threads));
            },
            [run, seconds](Napi::Env env) -> Napi::Value {
              run->results.Reset();
              return Napi::Float64Array::New(env, seconds->size(), copied(env, seconds->data(), seconds->size() * 8),
                                             0);
            });
  });
}

// report(): { steps: { op, detail, flops, bytes }[], arenaBytes, unplannedBytes, graph }
Napi::Value AddonProgram::report(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const ProgramReport& report = get()->report();
    Napi::Array steps = Napi::Array::New(env, report.steps.size());
    for (std::uint32_t i = 0; i < report.steps.size(); ++i) {
      Napi::Object step = Napi::Object::New(env);
      step.Set("op", report.steps[i].op);
      step.Set("detail", report.steps[i].detail);
      step.Set("flops", report.steps[i].flops);
      step.Set("bytes", report.steps[i].bytes);
      steps.Set(i, step);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("steps", steps);
    result.Set("arenaBytes", static_cast<double>(report.arena_bytes));
    result.Set("unplannedBytes", static_cast<double>(report.unplanned_bytes));
    result.Set("graph", report.graph);
    return result;
  });
}

Napi::Value AddonProgram::dispose(const Napi::CallbackInfo& info) {
  program_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace athanor::bindings

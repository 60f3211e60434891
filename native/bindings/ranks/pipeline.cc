#include "bindings/ranks/pipeline.h"

#include "bindings/loops.h"
#include "bindings/ranks/parallel.h"
#include "bindings/values.h"
#include "comm/world.h"

namespace athanor::bindings {
namespace {

using Lane = Environment::Lane;
using Instruction = PipelineInstruction;

std::vector<int> to_ints(Napi::Value value, const char* what) {
  std::vector<int> result;
  if (!value.IsArray()) return result;
  const Napi::Array array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    check(array.Get(i).IsNumber(), Code::argument, [&] { return std::string("expected numbers as ") + what; });
    result.push_back(array.Get(i).ToNumber().Int32Value());
  }
  return result;
}

int to_int(Napi::Value value) { return value.ToNumber().Int32Value(); }

Instruction to_instruction(const Napi::Object& given) {
  Instruction instruction;
  const std::string kind = to_text(given.Get("kind"), "a kind of instruction");
  using Kind = Instruction::Kind;
  instruction.kind = kind == "run"       ? Kind::run
                     : kind == "send"    ? Kind::send
                     : kind == "receive" ? Kind::receive
                                         : Kind::skip;
  if (instruction.kind == Kind::run || instruction.kind == Kind::skip) {
    instruction.shard = to_int(given.Get("shard"));
    instruction.exchange = to_int(given.Get("exchange"));
  }
  if (instruction.kind == Kind::run) {
    instruction.program = to_int(given.Get("program"));
    instruction.feeds = to_ints(given.Get("feeds"), "slots");
    instruction.results = to_ints(given.Get("results"), "slots");
  } else if (instruction.kind != Kind::skip) {
    instruction.slots = to_ints(given.Get("slots"), "slots");
    instruction.peer = to_int(given.Get("peer"));
    instruction.channel = to_int(given.Get("channel"));
    instruction.detail = to_text(given.Get("detail"), "a message's name");
  }
  return instruction;
}

template <class Read>
void for_each(Napi::Value value, Read read) {
  const Napi::Array array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) read(array.Get(i));
}

PipelineConfig to_config(const Napi::Object& given, const Environment& environment) {
  PipelineConfig config;
  config.communicator = comm::world();
  check(config.communicator != nullptr, Code::internal, [] { return "parallel: not connected"; });
  std::vector<std::vector<int>> pipelines;
  for_each(given.Get("pipelines"), [&](Napi::Value ranks) { pipelines.push_back(to_ints(ranks, "ranks")); });
  config.pipeline = config.communicator->split(pipelines);
  for_each(given.Get("told"), [&](Napi::Value block) {
    const std::vector<int> pair = to_ints(block, "micro-batches");
    config.told.push_back({pair.at(0), pair.at(1)});
  });
  config.dataset = unwrap<AddonDataset>(given.Get("dataset"), environment.dataset, "data set").get();
  config.rows = to_index(given.Get("rows"), "rows of a batch");
  config.shards = to_int(given.Get("shards"));
  config.hyper = to_names(given.Get("hyper"));
  for (const int count : to_ints(given.Get("hyperCounts"), "numbers")) config.hyper_counts.push_back(count);
  config.kind = to_loss_kind(given.Get("kind"));
  for_each(given.Get("programs"), [&](Napi::Value program) {
    config.programs.push_back(unwrap<AddonProgram>(program, environment.program, "program").get());
  });
  for_each(given.Get("slots"), [&](Napi::Value bytes) { config.slots.push_back(to_index(bytes, "bytes of a slot")); });
  for_each(given.Get("instructions"),
           [&](Napi::Value entry) { config.instructions.push_back(to_instruction(entry.As<Napi::Object>())); });
  for_each(given.Get("exchanges"), [&](Napi::Value value) {
    const Napi::Object entry = value.As<Napi::Object>();
    config.exchanges.push_back(unwrap<AddonExchange>(entry.Get("exchange"), environment.exchange, "exchange").get());
    config.holds_gradients.push_back(entry.Get("gradients").ToBoolean());
    std::vector<std::vector<std::string>> names;
    for_each(entry.Get("tensors"), [&](Napi::Value bucket) { names.push_back(to_names(bucket)); });
    config.tensors.push_back(std::move(names));
  });
  if (given.Get("update").IsObject())
    config.update = unwrap<AddonProgram>(given.Get("update"), environment.program, "program").get();
  if (given.Get("optimizer").IsObject())
    config.optimizer = unwrap<AddonOptimizer>(given.Get("optimizer"), environment.optimizer, "optimizer").get();
  if (given.Get("maxNorm").IsNumber()) config.max_norm = given.Get("maxNorm").ToNumber().DoubleValue();
  for_each(given.Get("sizes"), [&](Napi::Value size) { config.sizes.push_back(to_index(size, "elements")); });
  config.owners = to_ints(given.Get("owners"), "ranks");
  if (given.Get("tensor").IsObject()) {
    const Napi::Object entry = given.Get("tensor").As<Napi::Object>();
    config.tensor = unwrap<AddonRankGroup>(entry.Get("group"), environment.rank_group, "group").get()->group();
    for_each(entry.Get("divided"), [&](Napi::Value is_part) { config.divided.push_back(is_part.ToBoolean()); });
  }
  for_each(given.Get("shared"), [&](Napi::Value value) {
    const Napi::Object entry = value.As<Napi::Object>();
    config.shared.push_back({unwrap<AddonVariable>(entry.Get("variable"), environment.variable, "parameter").get(),
                             to_int(entry.Get("from")), to_ints(entry.Get("to"), "ranks")});
  });
  return config;
}

}  // namespace

// new PipelineLoop(NativePipelineConfig of lib/native/ranks.ts)
AddonPipelineLoop::AddonPipelineLoop(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    Environment& environment = Environment::of(info.Env());
    loop_ = std::make_shared<PipelineLoop>(to_config(info[0].As<Napi::Object>(), environment));
    environment.report_memory(info.Env());
  });
}

Napi::Function AddonPipelineLoop::define(Napi::Env env) {
  return DefineClass(env, "PipelineLoop",
                     {
                         InstanceMethod("run", &AddonPipelineLoop::run),
                         InstanceMethod("spans", &AddonPipelineLoop::spans),
                         InstanceMethod("dispose", &AddonPipelineLoop::dispose),
                     });
}

// run(…): as Loop.run
Napi::Value AddonPipelineLoop::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return run_loop(info, alive(loop_, "loop")); });
}

// spans(): Float64Array — of the last step, a row each: number of the instruction, start and end in seconds. Not while it runs.
Napi::Value AddonPipelineLoop::spans(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::vector<double> rows;
    for (const PipelineSpan& span : alive(loop_, "loop")->spans())
      rows.insert(rows.end(), {static_cast<double>(span.instruction), span.start, span.end});
    return Napi::Float64Array::New(info.Env(), rows.size(), copied(info.Env(), rows.data(), rows.size() * 8), 0);
  });
}

Napi::Value AddonPipelineLoop::dispose(const Napi::CallbackInfo& info) {
  loop_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace athanor::bindings

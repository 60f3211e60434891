// Optimizer, Dataset and Loop: what training needs beside programs.
#include <cstring>

#include "bindings/classes.h"
#include "bindings/loops.h"
#include "bindings/ranks/parallel.h"
#include "bindings/values.h"
#include "ops/effects/state_values.h"

namespace athanor::bindings {

// new Optimizer(rule, groups: { variables, hyper: Float64Array, states?: string }[], options: { maxNorm?, clipValue?, gradScale?,
// wantNorm?, skipNonfinite?, divided?, group?, shards?: { group, buckets: number[][], parameters?: boolean } })
AddonOptimizer::AddonOptimizer(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    Environment& environment = Environment::of(info.Env());
    const optim::RuleId rule = optim::rule_by_name(to_text(info[0], "an update rule").c_str());
    const Napi::Array array = info[1].As<Napi::Array>();
    std::vector<OptimizerGroup> groups;
    for (std::uint32_t g = 0; g < array.Length(); ++g) {
      const Napi::Object entry = array.Get(g).As<Napi::Object>();
      const Napi::Array variables = entry.Get("variables").As<Napi::Array>();
      OptimizerGroup group;
      for (std::uint32_t i = 0; i < variables.Length(); ++i) {
        group.variables.push_back(unwrap<AddonVariable>(variables.Get(i), environment.variable, "parameter").get());
      }
      group.hyper = to_reals(entry.Get("hyper"), "optim: hyper");
      if (const Napi::Value codec = entry.Get("states"); codec.IsString())
        group.codec = optim::codec_by_name(to_text(codec, "a codec of states").c_str());
      groups.push_back(std::move(group));
    }
    optim::StepOptions options;
    const Napi::Object given = info[2].As<Napi::Object>();
    const auto number = [&](const char* name, double& into) {
      const Napi::Value value = given.Get(name);
      if (value.IsNumber()) into = value.As<Napi::Number>().DoubleValue();
    };
    const auto flag = [&](const char* name, bool& into) {
      const Napi::Value value = given.Get(name);
      if (value.IsBoolean()) into = value.As<Napi::Boolean>().Value();
    };
    number("maxNorm", options.max_norm);
    number("clipValue", options.clip_value);
    number("gradScale", options.grad_scale);
    flag("wantNorm", options.want_norm);
    flag("skipNonfinite", options.skip_nonfinite);
    std::optional<StateDivision> division;
    if (const Napi::Value shards = given.Get("shards"); shards.IsObject()) {
      const Napi::Object entry = shards.As<Napi::Object>();
      division.emplace();
      division->parameters = entry.Get("parameters").ToBoolean();
      division->group = unwrap<AddonRankGroup>(entry.Get("group"), environment.rank_group, "group").get();
      const Napi::Array buckets = entry.Get("buckets").As<Napi::Array>();
      for (std::uint32_t b = 0; b < buckets.Length(); ++b) {
        const Napi::Array members = buckets.Get(b).As<Napi::Array>();
        std::vector<int>& bucket = division->buckets.emplace_back();
        for (std::uint32_t i = 0; i < members.Length(); ++i)
          bucket.push_back(static_cast<int>(to_index(members.Get(i), "a parameter")));
      }
    }
    optimizer_ = std::make_shared<OptimizerState>(rule, std::move(groups), options, std::move(division));
    if (const Napi::Value parts = given.Get("divided"); parts.IsArray()) {
      const auto& group = unwrap<AddonRankGroup>(given.Get("group"), environment.rank_group, "group").get();
      const Napi::Array list = parts.As<Napi::Array>();
      std::vector<bool> divided;
      for (std::uint32_t i = 0; i < list.Length(); ++i) divided.push_back(list.Get(i).ToBoolean().Value());
      optimizer_->divide(group, std::move(divided));
    }
    environment.report_memory(info.Env());
  });
}

Napi::Function AddonOptimizer::define(Napi::Env env) {
  return DefineClass(env, "Optimizer",
                     {
                         InstanceAccessor("states", &AddonOptimizer::states, nullptr),
                         InstanceAccessor("bytes", &AddonOptimizer::bytes, nullptr),
                         InstanceAccessor("steps", &AddonOptimizer::steps, &AddonOptimizer::set_steps),
                         InstanceMethod("stateShape", &AddonOptimizer::state_shape),
                         InstanceMethod("readState", &AddonOptimizer::read_state),
                         InstanceMethod("writeState", &AddonOptimizer::write_state),
                         InstanceMethod("takeState", &AddonOptimizer::take_state),
                         InstanceMethod("dispose", &AddonOptimizer::dispose),
                     });
}

std::size_t AddonOptimizer::state_at(const Napi::CallbackInfo& info) const {
  const auto i = static_cast<std::size_t>(to_index(info[0], "a state"));
  check(i < get()->states().size(), Code::internal,
        [&] { return "optim: there is no state number " + std::to_string(i); });
  return i;
}

// stateShape(i): that of readState(i)
Napi::Value AddonOptimizer::state_shape(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&]() -> Napi::Value { return from_shape(info.Env(), athanor::state_shape(*get(), state_at(info))); });
}

// readState(i): ArrayBuffer, f32 whatever it is kept in.
Napi::Value AddonOptimizer::read_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t i = state_at(info);
    const auto bytes = static_cast<std::size_t>(athanor::state_shape(*get(), i).count()) * sizeof(float);
    Napi::ArrayBuffer data = Napi::ArrayBuffer::New(info.Env(), bytes);
    athanor::read_state(*get(), i, static_cast<float*>(data.Data()));
    return data;
  });
}

// writeState(i, Float32Array)
Napi::Value AddonOptimizer::write_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t i = state_at(info);
    const Type type{DType::f32, athanor::state_shape(*get(), i)};
    const std::byte* values = to_bytes_of(info[1], type, "write: state \"" + get()->states()[i]->name() + "\"");
    athanor::write_state(*get(), i, reinterpret_cast<const float*>(values));
    return info.Env().Undefined();
  });
}

// takeState(i, variable): the same state in any format.
Napi::Value AddonOptimizer::take_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::size_t i = state_at(info);
    athanor::take_state(*get(), i,
                        *unwrap<AddonVariable>(info[1], Environment::of(info.Env()).variable, "state").get());
    return info.Env().Undefined();
  });
}

Napi::Value AddonOptimizer::states(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Napi::Array array = Napi::Array::New(info.Env());
    for (const auto& state : get()->states()) array.Set(array.Length(), AddonVariable::wrap(info.Env(), state));
    return array;
  });
}

// bytes: { parameters, states }
Napi::Value AddonOptimizer::bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    double parameters = 0, states = 0;
    for (const auto& variable : get()->variables()) parameters += static_cast<double>(variable->type().bytes());
    for (const auto& state : get()->states()) states += static_cast<double>(state->type().bytes());
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("parameters", parameters);
    object.Set("states", states);
    return object;
  });
}

Napi::Value AddonOptimizer::steps(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), static_cast<double>(get()->steps())); });
}

void AddonOptimizer::set_steps(const Napi::CallbackInfo& info, const Napi::Value& value) {
  guarded(info.Env(), [&] { get()->set_steps(to_index(value, "an optimizer's step count")); });
}

Napi::Value AddonOptimizer::dispose(const Napi::CallbackInfo& info) {
  optimizer_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

// new Dataset(columns: { name, dtype, shape, data: typedArray }[]) — copies the data
AddonDataset::AddonDataset(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    const Napi::Array array = info[0].As<Napi::Array>();
    std::vector<Column> columns;
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::Object entry = array.Get(i).As<Napi::Object>();
      Column column{to_text(entry.Get("name"), "a column's name"),
                    {to_dtype(entry.Get("dtype")), to_shape(entry.Get("shape"))},
                    nullptr};
      const std::byte* data = to_bytes_of(entry.Get("data"), column.type, "data: column \"" + column.name + "\"");
      column.data = std::make_shared<Buffer>(column.type.bytes());
      if (column.type.bytes() > 0)
        std::memcpy(column.data->host(), data, static_cast<std::size_t>(column.type.bytes()));
      columns.push_back(std::move(column));
    }
    dataset_ = std::make_shared<Dataset>(std::move(columns));
    Environment::of(info.Env()).report_memory(info.Env());
  });
}

Napi::Function AddonDataset::define(Napi::Env env) {
  return DefineClass(env, "Dataset",
                     {
                         InstanceAccessor("rows", &AddonDataset::rows, nullptr),
                         InstanceMethod("write", &AddonDataset::write),
                         InstanceMethod("dispose", &AddonDataset::dispose),
                     });
}

Napi::Value AddonDataset::rows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), static_cast<double>(get()->rows())); });
}

// write(name, first, rows, data: typedArray): void
Napi::Value AddonDataset::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = to_text(info[0], "a column's name");
    const Index first = to_index(info[1], "a row"), rows = to_index(info[2], "a number of rows");
    Type type = get()->column(name).type;
    type.shape[0] = rows;
    get()->write(name, first, rows, to_bytes_of(info[3], type, "data: column \"" + name + "\""));
    return info.Env().Undefined();
  });
}

Napi::Value AddonDataset::dispose(const Napi::CallbackInfo& info) {
  dataset_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

namespace {

std::string to_text_or_empty(Napi::Value value) { return value.IsString() ? value.As<Napi::String>().Utf8Value() : ""; }

}  // namespace

// new Loop(program, dataset, { hyper?, record?, collect?, guard? })
AddonLoop::AddonLoop(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    Environment& environment = Environment::of(info.Env());
    const Napi::Object options = info[2].As<Napi::Object>();
    LoopConfig config;
    config.program = unwrap<AddonProgram>(info[0], environment.program, "program").get();
    config.dataset = unwrap<AddonDataset>(info[1], environment.dataset, "data set").get();
    config.hyper = to_names(options.Get("hyper"));
    config.record = to_names(options.Get("record"));
    config.collect = collect_ = to_names(options.Get("collect"));
    config.guard = to_text_or_empty(options.Get("guard"));
    loop_ = std::make_shared<Loop>(std::move(config));
  });
}

Napi::Function AddonLoop::define(Napi::Env env) {
  return DefineClass(env, "Loop",
                     {
                         InstanceAccessor("batch", &AddonLoop::batch, nullptr),
                         InstanceMethod("run", &AddonLoop::run),
                         InstanceMethod("dispose", &AddonLoop::dispose),
                     });
}

Napi::Value AddonLoop::batch(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(alive(loop_, "loop")->batch()));
  });
}

// run({ seed, epoch, shuffle, firstRow, steps, firstStep, hyper? }, cancel?):
//   Promise<{ steps, cancelled, guarded, records: Float64Array, collected: ArrayBuffer[], seconds }>
Napi::Value AddonLoop::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return run_loop(info, alive(loop_, "loop")); });
}

Napi::Value AddonLoop::dispose(const Napi::CallbackInfo& info) {
  loop_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace athanor::bindings

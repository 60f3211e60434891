// new Graph(): a graph being traced. Values are numbers; apply() gives the first of a node's values, the others follow.
#include "bindings/classes.h"
#include "bindings/ranks/parallel.h"
#include "bindings/values.h"
#include "device/backend.h"
#include "graph/cpu_backend.h"
#include "graph/print.h"
#include "graph/vjp.h"
#include "ops/comm/append.h"
#include "ops/effects/append.h"
#include "runtime/thread_pool.h"

namespace athanor::bindings {

AddonGraph::AddonGraph(const Napi::CallbackInfo& info) : ObjectWrap(info), graph_(std::make_shared<Graph>()) {}

Napi::Function AddonGraph::define(Napi::Env env) {
  return DefineClass(env, "Graph",
                     {
                         InstanceMethod("input", &AddonGraph::input),
                         InstanceMethod("parameter", &AddonGraph::parameter),
                         InstanceMethod("constant", &AddonGraph::constant),
                         InstanceMethod("scalar", &AddonGraph::scalar),
                         InstanceMethod("apply", &AddonGraph::apply),
                         InstanceMethod("typeOf", &AddonGraph::type_of),
                         InstanceMethod("valueCount", &AddonGraph::value_count),
                         InstanceMethod("gradients", &AddonGraph::gradients),
                         InstanceMethod("assign", &AddonGraph::assign),
                         InstanceMethod("optimizerStep", &AddonGraph::optimizer_step),
                         InstanceMethod("gradientBucket", &AddonGraph::gradient_bucket),
                         InstanceMethod("collective", &AddonGraph::collective),
                         InstanceMethod("setScope", &AddonGraph::set_scope),
                         InstanceMethod("setOutputs", &AddonGraph::set_outputs),
                         InstanceMethod("compile", &AddonGraph::compile),
                         InstanceMethod("print", &AddonGraph::print),
                         InstanceMethod("passes", &AddonGraph::passes),
                         InstanceMethod("describe", &AddonGraph::describe),
                         InstanceMethod("dispose", &AddonGraph::dispose),
                     });
}

ValueId AddonGraph::to_value(Napi::Value value) const {
  const Index id = to_index(value, "a value");
  check(id >= 0 && id < get().value_count(), Code::argument,
        [] { return "a tensor of another trace was used in this one"; });
  return static_cast<ValueId>(id);
}

std::vector<ValueId> AddonGraph::to_values(Napi::Value value) const {
  check(value.IsArray(), Code::argument, [] { return "expected an array of values"; });
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<ValueId> ids;
  for (std::uint32_t i = 0; i < array.Length(); ++i) ids.push_back(to_value(array.Get(i)));
  return ids;
}

// input(name, dtype, shape): value
Napi::Value AddonGraph::input(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Type type{to_dtype(info[1]), to_shape(info[2])};
    return Napi::Number::New(info.Env(), get().input(to_text(info[0], "an input's name"), type));
  });
}

// parameter(variable): value
Napi::Value AddonGraph::parameter(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto& variable = unwrap<AddonVariable>(info[0], Environment::of(info.Env()).variable, "parameter");
    return Napi::Number::New(info.Env(), get().parameter(variable.get()));
  });
}

// constant(dtype, shape, typedArray): value
Napi::Value AddonGraph::constant(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Constant constant{{to_dtype(info[0]), to_shape(info[1])}, {}};
    const std::byte* data = to_bytes_of(info[2], constant.type, "constant");
    constant.bytes.assign(data, data + constant.type.bytes());
    return Napi::Number::New(info.Env(), get().constant(std::move(constant)));
  });
}

// scalar(number, dtype): value
Napi::Value AddonGraph::scalar(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), get().scalar(to_real(info[0], "a constant"), to_dtype(info[1])));
  });
}

// apply(op, values, attributes): first value
Napi::Value AddonGraph::apply(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = to_text(info[0], "an operation's name");
    const OpInfo* row = find_op(name);
    check(row != nullptr && !row->is(kEffect | kCollective | kWait), Code::argument,
          [&] { return "there is no operation \"" + name + "\""; });
    return Napi::Number::New(info.Env(), get().apply(row->op, to_values(info[1]), to_attrs(info[2])));
  });
}

// typeOf(value): { dtype, shape }
Napi::Value AddonGraph::type_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return from_type(info.Env(), get().type(to_value(info[0]))); });
}

// valueCount(): number of values made so far
Napi::Value AddonGraph::value_count(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), get().value_count()); });
}

// gradients(loss, values): values
Napi::Value AddonGraph::gradients(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto ids = athanor::gradients(get(), to_value(info[0]), to_values(info[1]));
    Napi::Array array = Napi::Array::New(info.Env(), ids.size());
    for (std::uint32_t i = 0; i < ids.size(); ++i) array.Set(i, Napi::Number::New(info.Env(), ids[i]));
    return array;
  });
}

// assign(variable, value): void — the variable's value after the run
Napi::Value AddonGraph::assign(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto& variable = unwrap<AddonVariable>(info[0], Environment::of(info.Env()).variable, "parameter");
    add_assign(get(), variable.get(), to_value(info[1]));
    return info.Env().Undefined();
  });
}

// optimizerStep(optimizer, gradients, hyper, loss?): value of the report f64 [4]
Napi::Value AddonGraph::optimizer_step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& optimizer = unwrap<AddonOptimizer>(info[0], Environment::of(info.Env()).optimizer, "optimizer").get();
    OptimizerStepInputs inputs{to_values(info[1]), to_value(info[2]), std::nullopt};
    if (info[3].IsNumber()) inputs.loss = to_value(info[3]);
    return Napi::Number::New(info.Env(), add_optimizer_step(get(), optimizer, std::move(inputs)));
  });
}

// gradientBucket(exchange, bucket, values, weight: "share" | "one" | value): void — delivers them as soon as they are made
Napi::Value AddonGraph::gradient_bucket(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& exchange = unwrap<AddonExchange>(info[0], Environment::of(info.Env()).exchange, "exchange").get();
    const Index bucket = to_index(info[1], "a bucket");
    const BucketWeight weight =
        info[3].IsString() ? BucketWeight(info[3].As<Napi::String>().Utf8Value()) : BucketWeight(to_value(info[3]));
    add_gradient_bucket(get(), exchange, bucket, to_values(info[2]), weight);
    return info.Env().Undefined();
  });
}

// collective(op, group, values, attributes): value
Napi::Value AddonGraph::collective(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const OpInfo* row = find_op(to_text(info[0], "an operation's name"));
    check(row != nullptr, Code::internal, [] { return "collective: unknown operation"; });
    const auto& group = unwrap<AddonRankGroup>(info[1], Environment::of(info.Env()).rank_group, "group").get();
    Attrs attrs = to_attrs(info[3]);
    attrs.set("resource", get().add_resource(group));
    return Napi::Number::New(info.Env(), athanor::collective(get(), row->op, to_values(info[2]), std::move(attrs)).id);
  });
}

Napi::Value AddonGraph::set_scope(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    get().set_scope(to_text(info[0], "a scope"));
    return info.Env().Undefined();
  });
}

// setOutputs(names, values): void
Napi::Value AddonGraph::set_outputs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::vector<ValueId> values = to_values(info[1]);
    const Napi::Array names = info[0].As<Napi::Array>();
    check(names.Length() == values.size(), Code::argument, [] { return "setOutputs: one name for every value"; });
    std::vector<Output> outputs;
    for (std::uint32_t i = 0; i < names.Length(); ++i)
      outputs.push_back({to_text(names.Get(i), "an output's name"), values[i]});
    get().outputs = std::move(outputs);
    return info.Env().Undefined();
  });
}

// compile({ optimize?, device? }): Program
Napi::Value AddonGraph::compile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    CompileOptions options;
    options.workers = athanor::threads();
    std::string device = "cpu";
    if (info[0].IsObject()) {
      const Napi::Value optimize = info[0].As<Napi::Object>().Get("optimize");
      if (optimize.IsBoolean()) options.optimize = optimize.As<Napi::Boolean>().Value();
      const Napi::Value named = info[0].As<Napi::Object>().Get("device");
      if (named.IsString()) device = named.As<Napi::String>().Utf8Value();
    }
    std::shared_ptr<Program> program = device::compile(get(), options, device);
    Environment::of(info.Env()).report_memory(info.Env());
    return AddonProgram::wrap(info.Env(), std::move(program));
  });
}

// print("text" | "dot"): string
Napi::Value AddonGraph::print(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const bool dot = info[0].IsString() && info[0].As<Napi::String>().Utf8Value() == "dot";
    return Napi::String::New(info.Env(), dot ? print_dot(get()) : print_text(get()));
  });
}

// passes(): { pass, text }[]
Napi::Value AddonGraph::passes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Napi::Array array = Napi::Array::New(info.Env());
    for (const PassSnapshot& snapshot : explain_passes(get())) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("pass", snapshot.pass);
      entry.Set("text", snapshot.text);
      array.Set(array.Length(), entry);
    }
    return array;
  });
}

// The ranks that a collective works within; null for another node.
static std::shared_ptr<RankGroup> group_of(const Graph& graph, const Node& node) {
  const Attr* resource = node.attrs.find("resource");
  if (resource == nullptr) return nullptr;
  return std::dynamic_pointer_cast<RankGroup>(
      graph.resources()[static_cast<std::size_t>(node.attrs.integer("resource"))]);
}

// describe(): { nodes: { op, inputs, outputs, attrs, scope, type?, variable?, constant?, group? }[], outputs: { name, value, type }[] }, the
// graph as plain data; dead nodes are left out, and values are numbered without them.
Napi::Value AddonGraph::describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Graph graph = eliminate_dead(get());
    Napi::Array nodes = Napi::Array::New(env, graph.nodes().size());
    for (std::uint32_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("op", athanor::info(node.op).name);
      Napi::Array inputs = Napi::Array::New(env);
      for (const ValueId input : node.inputs) inputs.Set(inputs.Length(), Napi::Number::New(env, input));
      entry.Set("inputs", inputs);
      entry.Set("outputs", Napi::Number::New(env, node.output_count));
      entry.Set("attrs", from_attrs(env, node.attrs));
      entry.Set("scope", node.scope);
      if (athanor::info(node.op).is(kSource)) entry.Set("type", from_type(env, graph.type(node.output())));
      if (const auto group = group_of(graph, node)) entry.Set("group", AddonRankGroup::wrap(env, group));
      if (node.op == Op::parameter) entry.Set("variable", AddonVariable::wrap(env, graph.variable_of(node)));
      if (node.op == Op::constant) {
        const Constant& constant = graph.constant_of(node);
        entry.Set("constant", copied(env, constant.bytes.data(), constant.bytes.size()));
      }
      nodes.Set(i, entry);
    }
    Napi::Array outputs = Napi::Array::New(env);
    for (const Output& output : graph.outputs) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", output.name);
      entry.Set("value", Napi::Number::New(env, output.value));
      entry.Set("type", from_type(env, graph.type(output.value)));
      outputs.Set(outputs.Length(), entry);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("nodes", nodes);
    result.Set("outputs", outputs);
    return result;
  });
}

Napi::Value AddonGraph::dispose(const Napi::CallbackInfo& info) {
  graph_.reset();
  return info.Env().Undefined();
}

}  // namespace athanor::bindings

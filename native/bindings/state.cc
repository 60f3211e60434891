// The state of a run between variables and files, off the event loop: copies in the lane of training, between two of its steps;
// files in a lane of their own, so that neither steps nor predictions wait for a disk.
#include "bindings/state.h"

#include "bindings/classes.h"
#include "bindings/values.h"
#include "runtime/thread_pool.h"
#include "train/state.h"

namespace athanor::bindings {
namespace {

using Variables = std::vector<std::shared_ptr<Variable>>;
using Lane = Environment::Lane;

Variables to_variables(Napi::Env env, Napi::Value value) {
  check(value.IsArray(), Code::argument, [] { return "expected a list of parameters"; });
  const Napi::Array list = value.As<Napi::Array>();
  Variables variables;
  for (std::uint32_t i = 0; i < list.Length(); ++i)
    variables.push_back(unwrap<AddonVariable>(list.Get(i), Environment::of(env).variable, "parameter").get());
  return variables;
}

std::vector<NamedVariable> to_named(Napi::Env env, Napi::Value names, Napi::Value values) {
  const Variables variables = to_variables(env, values);
  const Napi::Array list = names.As<Napi::Array>();
  std::vector<NamedVariable> named;
  for (std::uint32_t i = 0; i < variables.size(); ++i)
    named.push_back({to_text(list.Get(i), "a tensor's name"), variables[i]});
  return named;
}

Napi::Value submit(Napi::Env env, Lane lane, std::function<void()> work) {
  return Environment::of(env).submit(lane, std::make_shared<std::atomic<bool>>(false), std::move(work),
                                     [](Napi::Env same) -> Napi::Value { return same.Undefined(); });
}

}  // namespace

Napi::Value make_variables(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Variables like = to_variables(info.Env(), info[0]);
    const auto made = std::make_shared<Variables>();
    return Environment::of(info.Env())
        .submit(
            Lane::files, std::make_shared<std::atomic<bool>>(false), [=] { *made = make_copies(like); },
            [made](Napi::Env env) -> Napi::Value {
              const Napi::Array array = Napi::Array::New(env);
              for (const auto& variable : *made) array.Set(array.Length(), AddonVariable::wrap(env, variable));
              Environment::of(env).report_memory(env);
              return array;
            });
  });
}

Napi::Value copy_variables(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Variables from = to_variables(info.Env(), info[0]), to = to_variables(info.Env(), info[1]);
    return submit(info.Env(), Lane::bulk, [=] { athanor::copy_variables(from, to, *pool()); });
  });
}

Napi::Value write_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string place = to_text(info[0], "a path"), json = to_text(info[1], "a text"),
                      operation = to_text(info[4], "an operation");
    const std::vector<NamedVariable> entries = to_named(info.Env(), info[2], info[3]);
    return submit(info.Env(), Lane::files, [=] { athanor::write_state(place, json, entries, operation); });
  });
}

Napi::Value read_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string place = to_text(info[0], "a path"), operation = to_text(info[1], "an operation");
    const auto json = std::make_shared<std::string>();
    return Environment::of(info.Env())
        .submit(
            Lane::files, std::make_shared<std::atomic<bool>>(false),
            [=] { *json = athanor::read_state(place, operation); },
            [json](Napi::Env env) -> Napi::Value { return Napi::String::New(env, *json); });
  });
}

Napi::Value read_variables(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = to_text(info[0], "a path"), operation = to_text(info[3], "an operation");
    const std::vector<NamedVariable> entries = to_named(info.Env(), info[1], info[2]);
    return submit(info.Env(), Lane::files, [=] { athanor::read_variables(path, entries, operation); });
  });
}

Napi::Value remove_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string place = to_text(info[0], "a path");
    return submit(info.Env(), Lane::files, [=] { athanor::remove_state(place); });
  });
}

}  // namespace athanor::bindings

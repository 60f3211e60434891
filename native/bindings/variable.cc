// new Variable(dtype, shape, name): the memory of a parameter.
#include "bindings/classes.h"
#include "bindings/values.h"
#include "runtime/fill.h"

namespace athanor::bindings {

// Made from JavaScript with (dtype, shape, name), or by wrap() with an External.
AddonVariable::AddonVariable(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    if (info[0].IsExternal()) {
      variable_ = *info[0].As<Napi::External<std::shared_ptr<Variable>>>().Data();
      return;
    }
    variable_ =
        std::make_shared<Variable>(to_text(info[2], "a parameter's name"), Type{to_dtype(info[0]), to_shape(info[1])});
    Environment::of(info.Env()).report_memory(info.Env());
  });
}

Napi::Function AddonVariable::define(Napi::Env env) {
  return DefineClass(env, "Variable",
                     {
                         InstanceAccessor("name", &AddonVariable::name, &AddonVariable::set_name),
                         InstanceAccessor("type", &AddonVariable::type, nullptr),
                         InstanceMethod("read", &AddonVariable::read),
                         InstanceMethod("write", &AddonVariable::write),
                         InstanceMethod("fill", &AddonVariable::fill),
                         InstanceMethod("setMask", &AddonVariable::set_mask),
                         InstanceMethod("vacate", &AddonVariable::vacate),
                         InstanceMethod("occupy", &AddonVariable::occupy),
                         InstanceMethod("copy", &AddonVariable::copy),
                         InstanceMethod("is", &AddonVariable::is),
                         InstanceMethod("dispose", &AddonVariable::dispose),
                     });
}

Napi::Object AddonVariable::wrap(Napi::Env env, std::shared_ptr<Variable> variable) {
  return Environment::of(env).variable.New({Napi::External<std::shared_ptr<Variable>>::New(env, &variable)});
}

Napi::Value AddonVariable::name(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), get()->name()); });
}

void AddonVariable::set_name(const Napi::CallbackInfo& info, const Napi::Value& value) {
  guarded(info.Env(), [&] { get()->rename(to_text(value, "a parameter's name")); });
}

Napi::Value AddonVariable::type(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return from_type(info.Env(), get()->type()); });
}

// read(): ArrayBuffer with a copy, taken between two steps.
Napi::Value AddonVariable::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto variable = get();
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(info.Env(), static_cast<std::size_t>(variable->type().bytes()));
    variable->read(buffer.Data());
    return buffer;
  });
}

// write(typedArray)
Napi::Value AddonVariable::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto variable = get();
    variable->write(to_bytes_of(info[0], variable->type(), "write: parameter \"" + variable->name() + "\""));
    return info.Env().Undefined();
  });
}

// fill(kind: "constant" | "uniform" | "normal" | "truncated", a, b, seed, stream): random values are keyed by (seed, stream,
// element). constant: a. uniform: [a, b). normal and truncated (at two deviations): mean a, deviation b.
Napi::Value AddonVariable::fill(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string kind = to_text(info[0], "fill: the kind");
    const double a = to_real(info[1], "fill: a"), b = to_real(info[2], "fill: b");
    const auto seed = static_cast<std::uint64_t>(to_index(info[3], "fill: the seed"));
    const auto stream = static_cast<std::uint32_t>(to_index(info[4], "fill: the stream"));
    athanor::fill(*get(), kind, a, b, seed, stream);
    return info.Env().Undefined();
  });
}

// setMask(mask: Variable | null): u8 of the same shape, not to be written to afterwards.
Napi::Value AddonVariable::set_mask(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const bool none = info[0].IsNull() || info[0].IsUndefined();
    get()->set_mask(none ? nullptr
                         : unwrap<AddonVariable>(info[0], Environment::of(info.Env()).variable, "mask").get());
    return info.Env().Undefined();
  });
}

// copy(): a Variable with the same name, type and values; without the mask.
Napi::Value AddonVariable::copy(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto source = get();
    auto made = std::make_shared<Variable>(source->name(), source->type());
    source->read(made->data());
    Environment::of(info.Env()).report_memory(info.Env());
    return wrap(info.Env(), std::move(made));
  });
}

// vacate(): void — gives the memory back until occupy()
Napi::Value AddonVariable::vacate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    get()->vacate();
    Environment::of(info.Env()).report_memory(info.Env());
    return info.Env().Undefined();
  });
}

Napi::Value AddonVariable::occupy(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    get()->occupy();
    Environment::of(info.Env()).report_memory(info.Env());
    return info.Env().Undefined();
  });
}

// is(other): whether both stand for the same values.
Napi::Value AddonVariable::is(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& other = unwrap<AddonVariable>(info[0], Environment::of(info.Env()).variable, "parameter");
    return Napi::Boolean::New(info.Env(), get() == other.get());
  });
}

Napi::Value AddonVariable::dispose(const Napi::CallbackInfo& info) {
  variable_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace athanor::bindings

#include "bindings/values.h"

#include <cmath>
#include <cstring>

namespace athanor::bindings {
namespace {

constexpr double kLargestInteger = 9007199254740991.0;  // 2^53 - 1

bool is_whole(double value) { return std::floor(value) == value && std::fabs(value) <= kLargestInteger; }

}  // namespace

std::string to_text(Napi::Value value, const char* what) {
  check(value.IsString(), Code::argument, [&] { return std::string(what) + " must be a string"; });
  return value.As<Napi::String>().Utf8Value();
}

double to_real(Napi::Value value, const char* what) {
  check(value.IsNumber(), Code::argument, [&] { return std::string(what) + " must be a number"; });
  return value.As<Napi::Number>().DoubleValue();
}

Index to_index(Napi::Value value, const char* what) {
  const double real = to_real(value, what);
  check(is_whole(real), Code::argument, [&] { return std::string(what) + " must be a whole number"; });
  return static_cast<Index>(real);
}

DType to_dtype(Napi::Value value) {
  const std::string name = to_text(value, "an element type");
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == athanor::name_of(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  throw Error(Code::argument, "there is no element type \"" + name + "\"; use f32, f64, i32, u8, bool or bf16");
}

Shape to_shape(Napi::Value value) {
  check(value.IsArray(), Code::argument, [] { return "a shape must be an array of whole numbers"; });
  const Napi::Array array = value.As<Napi::Array>();
  check(array.Length() <= static_cast<std::uint32_t>(kMaxRank), Code::shape,
        [&] { return "a tensor has at most 8 dimensions, got " + std::to_string(array.Length()); });
  Shape shape;
  double bytes = 8;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Index extent = to_index(array.Get(i), "an extent of a shape");
    check(extent >= 0, Code::shape,
          [&] { return "an extent of a shape must be 0 or more, got " + std::to_string(extent); });
    bytes *= static_cast<double>(std::max<Index>(1, extent));
    check(bytes < kLargestInteger, Code::shape,
          [&] { return "a tensor of more than 2^53 bytes does not fit any machine"; });
    shape.push_back(extent);
  }
  return shape;
}

std::vector<double> to_reals(Napi::Value value, const char* what) {
  check(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array, Code::argument,
        [&] { return std::string(what) + " must be a Float64Array"; });
  const auto array = value.As<Napi::Float64Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Attrs to_attrs(Napi::Value value) {
  Attrs attrs;
  if (value.IsUndefined() || value.IsNull()) return attrs;
  check(value.IsObject(), Code::argument, [] { return "attributes must be an object"; });
  const Napi::Object object = value.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  for (std::uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString();
    const Napi::Value entry = object.Get(name);
    if (entry.IsUndefined()) continue;
    if (entry.IsBoolean()) {
      attrs.set(name, entry.As<Napi::Boolean>().Value());
    } else if (entry.IsNumber()) {
      const double real = entry.As<Napi::Number>().DoubleValue();
      attrs.set(name, is_whole(real) ? Attr(static_cast<Index>(real)) : Attr(real));
    } else if (entry.IsString()) {
      attrs.set(name, entry.As<Napi::String>().Utf8Value());
    } else if (entry.IsArray()) {
      const Napi::Array array = entry.As<Napi::Array>();
      std::vector<Index> values;
      for (std::uint32_t k = 0; k < array.Length(); ++k) values.push_back(to_index(array.Get(k), name.c_str()));
      attrs.set(name, std::move(values));
    } else {
      throw Error(Code::argument,
                  "attribute \"" + name + "\" must be a number, boolean, string or list of whole numbers");
    }
  }
  return attrs;
}

Bytes to_bytes(Napi::Value value, const char* what) {
  check(value.IsTypedArray(), Code::argument, [&] { return std::string(what) + " must be a typed array"; });
  napi_typedarray_type type;
  std::size_t length = 0, offset = 0;
  void* data = nullptr;
  napi_value buffer;
  napi_get_typedarray_info(value.Env(), value, &type, &length, &data, &buffer, &offset);
  const std::size_t element = value.As<Napi::TypedArray>().ElementSize();
  return {static_cast<std::byte*>(data), static_cast<Index>(length * element)};
}

std::byte* to_bytes_of(Napi::Value value, const Type& type, const std::string& what) {
  const Bytes bytes = to_bytes(value, what.c_str());
  check(bytes.length == type.bytes(), Code::shape, [&] {
    return what + ": expected " + to_string(type) + " (" + std::to_string(type.bytes()) + " bytes), got " +
           std::to_string(bytes.length) + " bytes";
  });
  return bytes.data;
}

Napi::Array from_shape(Napi::Env env, const Shape& shape) {
  Napi::Array array = Napi::Array::New(env, static_cast<std::size_t>(shape.rank()));
  for (int axis = 0; axis < shape.rank(); ++axis) {
    array.Set(static_cast<std::uint32_t>(axis), Napi::Number::New(env, static_cast<double>(shape[axis])));
  }
  return array;
}

Napi::Object from_type(Napi::Env env, const Type& type) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("dtype", athanor::name_of(type.dtype));
  object.Set("shape", from_shape(env, type.shape));
  return object;
}

Napi::Array from_ports(Napi::Env env, const std::vector<Port>& ports) {
  Napi::Array array = Napi::Array::New(env, ports.size());
  for (std::uint32_t i = 0; i < ports.size(); ++i) {
    Napi::Object port = from_type(env, ports[i].type);
    port.Set("name", ports[i].name);
    array.Set(i, port);
  }
  return array;
}

Napi::Object from_attrs(Napi::Env env, const Attrs& attrs) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, value] : attrs.entries()) {
    if (const bool* flag = std::get_if<bool>(&value)) {
      object.Set(name, *flag);
    } else if (const Index* whole = std::get_if<Index>(&value)) {
      object.Set(name, static_cast<double>(*whole));
    } else if (const double* real = std::get_if<double>(&value)) {
      object.Set(name, *real);
    } else if (const std::string* text = std::get_if<std::string>(&value)) {
      object.Set(name, *text);
    } else {
      Napi::Array array = Napi::Array::New(env);
      for (const Index item : std::get<std::vector<Index>>(value)) array.Set(array.Length(), static_cast<double>(item));
      object.Set(name, array);
    }
  }
  return object;
}

Napi::ArrayBuffer copied(Napi::Env env, const void* data, std::size_t size) {
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, size);
  if (size > 0) std::memcpy(buffer.Data(), data, size);
  return buffer;
}

}  // namespace athanor::bindings

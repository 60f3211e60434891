// Between JavaScript values and the engine's plain structs. Every conversion checks what it is given.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "base/shape.h"
#include "bindings/napi.h"
#include "graph/attrs.h"
#include "runtime/program.h"

namespace athanor::bindings {

DType to_dtype(Napi::Value value);
Shape to_shape(Napi::Value value);
std::string to_text(Napi::Value value, const char* what);
Index to_index(Napi::Value value, const char* what);
double to_real(Napi::Value value, const char* what);
std::vector<double> to_reals(Napi::Value value, const char* what);
Attrs to_attrs(Napi::Value value);

// The memory behind a typed array, DataView-free: start and length. Throws when it is none, or detached.
struct Bytes {
  std::byte* data;
  Index length;
};
Bytes to_bytes(Napi::Value value, const char* what);
// The same, of exactly `type.bytes()`.
std::byte* to_bytes_of(Napi::Value value, const Type& type, const std::string& what);

Napi::Array from_shape(Napi::Env env, const Shape& shape);
Napi::Object from_type(Napi::Env env, const Type& type);
Napi::Array from_ports(Napi::Env env, const std::vector<Port>& ports);
Napi::Object from_attrs(Napi::Env env, const Attrs& attrs);

// A fresh ArrayBuffer with a copy of `size` bytes.
Napi::ArrayBuffer copied(Napi::Env env, const void* data, std::size_t size);

}  // namespace athanor::bindings

// The one place where a C++ exception becomes a JavaScript error: { code, message } that lib/errors.ts dresses in its class.
// guarded([&] { … }) wraps every entry point of the addon; nothing that the engine throws may leave it as anything else.
#pragma once
#include <exception>
#include <new>
#include <string>

#include "base/error.h"
#include "bindings/napi.h"

namespace athanor::bindings {

// A JavaScript Error with `code` and the details set. Used for throwing and for rejecting promises alike.
inline Napi::Error to_js_error(Napi::Env env, const Error& thrown) {
  Napi::Error error = Napi::Error::New(env, thrown.what());
  error.Set("code", Napi::String::New(env, name_of(thrown.code())));
  for (const auto& [name, value] : thrown.details()) error.Set(name, Napi::String::New(env, value));
  return error;
}

// Describes the exception that is being handled; call it inside a catch block only.
inline Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(Code::memory, "out of memory: the system refused a native allocation; use a smaller batch or model");
  } catch (const std::exception& error) {
    return Error(Code::internal, std::string("internal error: ") + error.what());
  } catch (...) {
    return Error(Code::internal, "internal error: an exception of unknown type");
  }
}

// Runs `body` and turns whatever it throws into a pending JavaScript exception. JavaScript's own exceptions pass through.
template <class Body>
auto guarded(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js_error(env, current_error());
  }
}

}  // namespace athanor::bindings

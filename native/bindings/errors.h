// The one place where a C++ exception becomes a JavaScript error: { code, message } that lib/errors.ts dresses in its class.
// guarded([&] { … }) wraps every entry point of the addon; nothing that the engine throws may leave it as anything else.
#pragma once
#include <napi.h>

#include <exception>
#include <new>
#include <string>

#include "base/error.h"

namespace athanor::bindings {

// A JavaScript Error with `code` set. Used for throwing and for rejecting promises alike.
inline Napi::Error to_js_error(Napi::Env env, Code code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, name_of(code)));
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
    const Error error = current_error();
    throw to_js_error(env, error.code(), error.what());
  }
}

}  // namespace athanor::bindings

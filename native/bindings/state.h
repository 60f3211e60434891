// makeVariables(like: Variable[]): Promise<Variable[]>
// copyVariables(from: Variable[], to: Variable[]): Promise<void>
// writeState(place, json, names: string[], variables: Variable[], operation): Promise<void>
// readState(place, operation): Promise<string>
// readVariables(place, names: string[], variables: Variable[], operation): Promise<void>
// removeState(place): Promise<void>
#pragma once
#include "bindings/napi.h"

#include "bindings/environment.h"

namespace athanor::bindings {

Napi::Value make_variables(const Napi::CallbackInfo& info);
Napi::Value copy_variables(const Napi::CallbackInfo& info);
Napi::Value write_state(const Napi::CallbackInfo& info);
Napi::Value read_state(const Napi::CallbackInfo& info);
Napi::Value read_variables(const Napi::CallbackInfo& info);
Napi::Value remove_state(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

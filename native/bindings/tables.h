// csvRule({ columns: { kind, feature, offset, divisor, fill, indicator, names, missingName, unknown }[], missingCells, width, classes }): rule
// scanCsv(descriptor, shown, offset, line, { delimiter, recordDelimiter }, rule | undefined, most, operation): Promise<{ rows, x, y, odd, offset,
//   line, hasEnded, recordDelimiter }>
#pragma once
#include "bindings/napi.h"

#include "bindings/environment.h"

namespace athanor::bindings {

Napi::Value csv_rule(const Napi::CallbackInfo& info);
Napi::Value scan_csv(const Napi::CallbackInfo& info);

}  // namespace athanor::bindings

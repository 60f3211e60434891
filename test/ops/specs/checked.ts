// native/ops/elementwise/checked.cc: what a run looks at before it is used.
import { typed, type OpSpec } from "../spec.js";
import { like, value, whole } from "../value.js";

const exact: OpSpec = {
  kind: "operation",
  samples: () => [
    { name: "f32", inputs: [value("f32", [2, 3], [0, -0, 1, -7, 16777216, -2147483648])] },
    { name: "f64", inputs: [value("f64", [3], [2147483647, -2147483648, 5])] },
    { name: "bf16", inputs: [value("bf16", [3], [256, -3, 0])] },
    { name: "empty", inputs: [value("f32", [0, 2], [])] },
  ],
  reference: ([x]) => [
    {
      ...like(
        x!,
        x!.data.map(Math.trunc).map((e) => e + 0),
      ),
      dtype: "i32",
    },
  ],
  tolerance: "exact",
  fused: false,
  errors: [
    {
      inputs: [typed("i32", 2)],
      code: "ERR_ATHANOR_DTYPE",
      message: "exact_i32: takes floats, got i32; cast it",
    },
    ...[0.5, NaN, Infinity, 2147483648, -1e10].map((strange) => ({
      inputs: [value("f64", [3], [1, strange, 2])],
      attrs: { name: "crossEntropy: labels" },
      code: "ERR_ATHANOR_ARGUMENT" as const,
      message: `crossEntropy: labels: expected whole numbers, got ${
        { Infinity: "inf", NaN: "nan", "-10000000000": "-1e+10" }[String(strange)] ?? strange
      } at position 1; round them first if that is meant`,
    })),
  ],
};

const checked: OpSpec = {
  kind: "operation",
  samples: () => [
    { name: "divisors", inputs: [value("i32", [4], [1, -1, 7, -2147483648])], attrs: { rule: "nonzero" } },
    { name: "exponents", inputs: [whole([3, 5], 0, 9)], attrs: { rule: "nonnegative" } },
  ],
  reference: ([x]) => [x!],
  tolerance: "exact",
  fused: false,
  errors: [
    {
      inputs: [typed("f32", 2)],
      attrs: { rule: "nonzero" },
      code: "ERR_ATHANOR_DTYPE",
      message: "checked_i32: takes i32, got f32",
    },
    {
      inputs: [typed("i32", 2)],
      attrs: { rule: "odd" },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "checked_i32: rule must be one of nonzero, nonnegative, got odd",
    },
    {
      inputs: [value("i32", [2], [4, 0])],
      attrs: { rule: "nonzero", name: "floorDiv" },
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        "floorDiv: division by zero: the i32 divisor at position 1 is 0; cast both to f32, or keep such elements out with where",
    },
    {
      inputs: [value("i32", [2], [4, -3])],
      attrs: { rule: "nonnegative", name: "pow" },
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        "pow: whole numbers have no negative powers: the i32 exponent at position 1 is -3; cast both to f32, or keep such elements out with where",
    },
  ],
};

export const checkedValues = { exact_i32: exact, checked_i32: checked } as const;

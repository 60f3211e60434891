// native/ops/elementwise/unary.cc: one operand, element by element.
import type { DType } from "../../../lib/tensor/dtype.js";
import type { ToleranceClass } from "../../tolerances.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import {
  bf16Bits,
  broadcastShape,
  extremes,
  fromBf16,
  mapBroadcast,
  uniform,
  value,
  whole,
  type Value,
} from "../value.js";
import { elementwise, shapes, type Domain, type Scalar } from "./elementwise.js";
import { erf, gelu, geluTanh, roundEven, sigmoid } from "./special-functions.js";

const around: Domain = { low: -3, high: 3 };
const positive: Domain = { low: 0.2, high: 4 };

interface Options {
  readonly domain?: Domain;
  readonly smooth?: Domain;
  readonly tolerance?: ToleranceClass;
  readonly whole?: Scalar;
}

/** Floats alone. */
const real = (name: string, f: Scalar, { domain = around, smooth, tolerance = "elementary" }: Options = {}): OpSpec =>
  elementwise({
    f,
    arity: 1,
    tolerance,
    dtypes: ["f32", "f64", "bf16"],
    domains: [domain],
    gradients: [0],
    ...(smooth ? { smooth: [smooth] } : {}),
    errors: [
      {
        inputs: [typed("i32", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: `${name}: takes floats, got i32; cast it to f32 first`,
      },
    ],
  });

/** Floats and whole numbers. */
const number = (name: string, f: Scalar, { smooth, tolerance = "exact", whole: ofWhole }: Options = {}): OpSpec =>
  elementwise({
    f,
    arity: 1,
    tolerance,
    dtypes: ["f32", "f64", "i32", "bf16"],
    domains: [around],
    gradients: [0],
    ...(ofWhole ? { whole: ofWhole } : {}),
    ...(smooth ? { smooth: [smooth] } : {}),
    errors: [
      {
        inputs: [typed("bool", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: `${name}: takes floats or i32, got bool; cast it to f32 first`,
      },
    ],
  });

const predicate = (f: Scalar): OpSpec =>
  elementwise({
    f,
    arity: 1,
    tolerance: "exact",
    dtypes: ["f32", "f64", "i32", "u8", "bool"],
    domains: [around],
    result: "bool",
  });

const narrow = (x: number, low: number, high: number): number =>
  Number.isNaN(x) ? 0 : Math.max(low, Math.min(high, Math.trunc(x)));

/** kernels/elementwise/elementwise.h: floats go towards zero and saturate, i32 to u8 keeps the low 8 bits, bool is x ≠ 0. */
export function castTo(x: Value, dtype: DType): Value {
  const float = x.dtype === "f32" || x.dtype === "f64" || x.dtype === "bf16";
  const convert: Record<DType, (e: number) => number> = {
    f32: Math.fround,
    f64: (e) => e,
    i32: (e) => narrow(e, -2147483648, 2147483647),
    u8: (e) => (float ? narrow(e, 0, 255) : e & 255),
    bool: (e) => (e !== 0 ? 1 : 0),
    bf16: (e) => fromBf16(bf16Bits(e)),
  };
  return { dtype, shape: x.shape, data: x.data.map(convert[dtype]) };
}

const allTypes: readonly DType[] = ["f32", "f64", "i32", "u8", "bool", "bf16"];

const castSamples = (): Sample[] =>
  allTypes.flatMap((from) =>
    allTypes.map((dtype): Sample => {
      const ordinary = extremes.filter((x) => x === 0 || Math.abs(x) >= 1.2e-38);
      const floats = [...ordinary, 255, 256, 300, -0.9, 2147483648, -2147483904, 0.999, 1.00390625, 1.01171875];
      const numbers = [0, 1, 255, 256, -1, 2147483647, -2147483648, 65, 127, 128, -129];
      const data = from === "i32" ? numbers : from === "u8" ? [0, 1, 2, 255] : from === "bool" ? [0, 1] : floats;
      return { name: `${from} to ${dtype}`, inputs: [value(from, [data.length], data)], attrs: { dtype } };
    }),
  );

const cast: OpSpec = {
  kind: "operation",
  samples: () => [
    ...castSamples(),
    { name: "large", inputs: [uniform([317, 331], -300, 300)], attrs: { dtype: "i32" } },
    { name: "empty", inputs: [uniform([0, 3])], attrs: { dtype: "f64" } },
  ],
  reference: ([x], attrs) => [castTo(x!, attrs.dtype as DType)],
  tolerance: "exact",
  gradients: {
    inputs: [0],
    samples: () => [
      { name: "f64 to f32", inputs: [uniform([5], -1, 1, "f64")], attrs: { dtype: "f32" } },
      { name: "f32 to f64", inputs: [uniform([5])], attrs: { dtype: "f64" } },
    ],
    reference: ([x], { dtype }) => [{ ...x!, dtype: dtype as DType }],
    twice: false,
  },
  errors: [
    {
      inputs: [typed("f32", 2)],
      attrs: { dtype: "f16" },
      code: "ERR_ATHANOR_ARGUMENT",
      message: 'cast: there is no element type "f16"; use f32, f64, i32, u8, bool or bf16',
    },
  ],
};

const repeated: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[], [3, 4]],
  [[1], [0]],
  [
    [3, 1],
    [3, 5],
  ],
  [[5], [2, 3, 5]],
  [
    [2, 1, 3],
    [2, 4, 3],
  ],
  [[4], [4]],
  [[331], [317, 331]],
];

const broadcastTo: OpSpec = {
  kind: "operation",
  samples: () =>
    (["f32", "f64", "i32", "u8", "bool"] as const).flatMap((dtype) =>
      repeated.map(([from, shape]) => ({
        name: `${dtype} [${from.join(", ")}] to [${shape.join(", ")}]`,
        inputs: [whole(from, 0, 2, dtype)],
        attrs: { shape },
      })),
    ),
  reference: ([x], { shape }) => [
    mapBroadcast(
      x!.dtype,
      [
        x!,
        {
          ...x!,
          shape: shape as number[],
          data: new Float64Array(broadcastShape(shape as number[]).reduce((a, b) => a * b, 1)),
        },
      ],
      (a) => a,
    ),
  ],
  tolerance: "exact",
  gradients: {
    inputs: [0],
    samples: () =>
      (["f64", "f32"] as const).map((dtype) => ({
        name: dtype,
        inputs: [uniform([2, 1, 3], -1, 1, dtype)],
        attrs: { shape: [4, 2, 5, 3] },
      })),
    twice: false,
  },
  errors: [
    {
      inputs: [typed("f32", 3)],
      attrs: { shape: [1] },
      code: "ERR_ATHANOR_SHAPE",
      message: "broadcast_to: [3] does not broadcast to [1]",
    },
    {
      inputs: [typed("f32", 3)],
      attrs: { shape: [2, 4] },
      code: "ERR_ATHANOR_SHAPE",
      message:
        "broadcast_to: shapes [3] and [2, 4] do not broadcast: counted from the right, extents must be equal or 1, got 3 and 4",
    },
  ],
};

const stopGradient: OpSpec = {
  kind: "operation",
  samples: () =>
    (["f32", "f64", "i32", "u8", "bool"] as const).flatMap((dtype) =>
      shapes.map((shape) => ({ name: `${dtype} [${shape.join(", ")}]`, inputs: [whole(shape, 0, 2, dtype)] })),
    ),
  reference: ([x]) => [x!],
  tolerance: "exact",
};

export const unary = {
  neg: number("neg", (x) => -x, { tolerance: "rounded" }),
  abs: number("abs", (x) => Math.abs(x), { smooth: positive, tolerance: "rounded" }),
  sign: number("sign", (x) => Math.sign(x), { smooth: positive, tolerance: "rounded" }),
  exp: real("exp", (x) => Math.exp(x)),
  expm1: real("expm1", (x) => Math.expm1(x)),
  log: real("log", (x) => Math.log(x), { domain: positive }),
  log1p: real("log1p", (x) => Math.log1p(x), { domain: { low: -0.9, high: 4 } }),
  sqrt: real("sqrt", (x) => Math.sqrt(x), { domain: positive, tolerance: "rounded" }),
  rsqrt: real("rsqrt", (x) => 1 / Math.sqrt(x), { domain: positive }),
  square: number("square", (x) => x * x, { tolerance: "rounded", whole: (x) => Math.imul(x, x) }),
  reciprocal: real("reciprocal", (x) => 1 / x, { smooth: positive }),
  sin: real("sin", (x) => Math.sin(x)),
  cos: real("cos", (x) => Math.cos(x)),
  tanh: real("tanh", (x) => Math.tanh(x)),
  sigmoid: real("sigmoid", (x) => sigmoid(x)),
  relu: number("relu", (x) => Math.max(0, x), { smooth: positive, tolerance: "rounded" }),
  gelu: real("gelu", (x) => gelu(x), { tolerance: "formula" }),
  gelu_tanh: real("gelu_tanh", (x) => geluTanh(x), { tolerance: "formula" }),
  silu: real("silu", (x) => x * sigmoid(x), { tolerance: "formula" }),
  softplus: real("softplus", (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  softsign: real("softsign", (x) => x / (1 + Math.abs(x)), { smooth: positive }),
  hardswish: real("hardswish", (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6, {
    smooth: { low: -2.9, high: 2.9 },
    tolerance: "formula",
  }),
  mish: real("mish", (x) => x * Math.tanh(Math.log1p(Math.exp(x))), { tolerance: "formula" }),
  selu: real("selu", (x) => (x > 0 ? 1.0507009873554805 * x : 1.7580993408473766 * Math.expm1(x)), {
    smooth: positive,
  }),
  erf: real("erf", (x) => erf(x)),
  floor: number("floor", (x) => Math.floor(x), { smooth: { low: 0.2, high: 0.8 } }),
  ceil: number("ceil", (x) => Math.ceil(x), { smooth: { low: 0.2, high: 0.8 } }),
  round: number("round", (x) => roundEven(x), { smooth: { low: 0.1, high: 0.4 } }),
  logical_not: predicate((x) => (x === 0 ? 1 : 0)),
  is_finite: predicate((x) => (Number.isFinite(x) ? 1 : 0)),
  is_nan: predicate((x) => (Number.isNaN(x) ? 1 : 0)),
  cast,
  broadcast_to: broadcastTo,
  stop_gradient: stopGradient,
} as const;

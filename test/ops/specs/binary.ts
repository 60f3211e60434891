// native/ops/elementwise/binary.cc: two operands with broadcasting, comparisons, logic, and `where`.
import type { ToleranceClass } from "../../tolerances.js";
import { typed, type OpSpec, type Refusal, type Sample } from "../spec.js";
import { bools, distinct, mapBroadcast, uniform, whole } from "../value.js";
import { elementwise, type Domain, type Scalar } from "./elementwise.js";

const around: Domain = { low: -3, high: 3 };
const positive: Domain = { low: 0.3, high: 3 };

const common = (name: string): Refusal[] => [
  {
    inputs: [typed("f32", 2), typed("f64", 2)],
    code: "ERR_ATHANOR_DTYPE",
    message: `${name}: operands must have one element type, got f32 and f64; cast one of them`,
  },
  {
    inputs: [typed("f32", 2, 3), typed("f32", 2)],
    code: "ERR_ATHANOR_SHAPE",
    message: `${name}: shapes [2, 3] and [2] do not broadcast: counted from the right, extents must be equal or 1, got 3 and 2`,
  },
];

interface Options {
  readonly tolerance?: ToleranceClass;
  readonly domains?: readonly Domain[];
  readonly whole?: Scalar;
  readonly smooth?: readonly Domain[];
}

const arithmetic = (name: string, f: Scalar, options: Options = {}): OpSpec =>
  elementwise({
    f,
    arity: 2,
    tolerance: options.tolerance ?? "rounded",
    dtypes: ["f32", "f64", "i32", "bf16"],
    domains: options.domains ?? [around, around],
    gradients: [0, 1],
    ...(options.smooth ? { smooth: options.smooth } : {}),
    ...(options.whole ? { whole: options.whole } : {}),
    errors: [
      ...common(name),
      {
        inputs: [typed("bool", 2), typed("bool", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: `${name}: takes floats or i32, got bool; cast both to f32 or i32 first`,
      },
    ],
  });

const compare = (name: string, f: (a: number, b: number) => boolean): OpSpec =>
  elementwise({
    f: (a, b) => (f(a, b) ? 1 : 0),
    arity: 2,
    tolerance: "exact",
    dtypes: ["f32", "f64", "i32", "u8", "bool"],
    domains: [around, around],
    result: "bool",
    errors: common(name),
  });

/** The sign of b, as in Python. */
function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** C's pow: JavaScript's differs where IEEE 754 says 1. */
function power(a: number, b: number): number {
  if (a === 1 || b === 0) return 1;
  if (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) return 1;
  return a ** b;
}

/** Whole powers wrap; a negative exponent truncates the true result. */
function wholePower(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  for (let base = a, rest = b; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = Math.imul(result, base);
    base = Math.imul(base, base);
  }
  return result;
}

const whereSamples = (): Sample[] => [
  ...(["f32", "f64", "i32", "u8", "bool"] as const).map((dtype) => ({
    name: `${dtype} alike`,
    inputs: [bools([7, 5]), whole([7, 5], 0, 2, dtype), whole([7, 5], 0, 2, dtype)],
  })),
  { name: "scalars", inputs: [bools([4, 3]), uniform([]), uniform([1])] },
  { name: "the condition broadcasts", inputs: [bools([3, 1]), uniform([2, 3, 4]), uniform([4])] },
  { name: "empty", inputs: [bools([0, 3]), uniform([3]), uniform([0, 1])] },
  { name: "large", inputs: [bools([317, 331]), uniform([317, 331]), uniform([331])] },
];

const where: OpSpec = {
  kind: "operation",
  samples: whereSamples,
  reference: ([condition, a, b]) => [mapBroadcast(a!.dtype, [condition!, a!, b!], (c, x, y) => (c !== 0 ? x : y))],
  tolerance: "exact",
  gradients: {
    inputs: [1, 2],
    samples: () =>
      (["f64", "f32"] as const).map((dtype) => ({
        name: dtype,
        inputs: [bools([3, 4]), uniform([3, 4], -1, 1, dtype), uniform([4], -1, 1, dtype)],
      })),
    twice: false,
  },
  errors: [
    {
      inputs: [typed("f32", 2), typed("f32", 2), typed("f32", 2)],
      code: "ERR_ATHANOR_DTYPE",
      message: "where: the condition must be bool, got f32; compare it with something",
    },
    {
      inputs: [typed("bool", 2), typed("f32", 2), typed("i32", 2)],
      code: "ERR_ATHANOR_DTYPE",
      message: "where: operands must have one element type, got f32 and i32; cast one of them",
    },
    {
      inputs: [typed("bool", 3), typed("f32", 2), typed("f32", 2)],
      code: "ERR_ATHANOR_SHAPE",
      message:
        "where: shapes [3] and [2] do not broadcast: counted from the right, extents must be equal or 1, got 3 and 2",
    },
  ],
};

// Far from ties, where the slope jumps.
const apart = (spec: OpSpec): OpSpec => ({
  ...spec,
  gradients: {
    inputs: [0, 1],
    samples: () =>
      (["f64", "f32"] as const).map((dtype) => {
        const all = distinct([2, 6], 0.1, dtype);
        const halves = [all.data.slice(0, 6), all.data.slice(6)];
        return { name: dtype, inputs: halves.map((data) => ({ dtype, shape: [2, 3], data })) };
      }),
    twice: true,
  },
});

export const binary = {
  add: arithmetic("add", (a, b) => a + b),
  sub: arithmetic("sub", (a, b) => a - b),
  mul: arithmetic("mul", (a, b) => a * b, { whole: (a, b) => Math.imul(a, b) }),
  div: arithmetic("div", (a, b) => a / b, {
    domains: [around, positive],
    whole: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  }),
  pow: arithmetic("pow", (a, b) => power(a, b), {
    tolerance: "elementary",
    domains: [positive, around],
    whole: (a, b) => wholePower(a, b),
  }),
  minimum: apart(arithmetic("minimum", (a, b) => Math.min(a, b))),
  maximum: apart(arithmetic("maximum", (a, b) => Math.max(a, b))),
  mod: arithmetic("mod", (a, b) => modulo(a, b), {
    domains: [around, positive],
    smooth: [
      { low: 2.1, high: 2.9 },
      { low: 1.97, high: 2.03 },
    ],
    whole: (a, b) => (b === 0 ? 0 : modulo(a, b)),
  }),
  eq: compare("eq", (a, b) => a === b),
  ne: compare("ne", (a, b) => a !== b),
  lt: compare("lt", (a, b) => a < b),
  le: compare("le", (a, b) => a <= b),
  gt: compare("gt", (a, b) => a > b),
  ge: compare("ge", (a, b) => a >= b),
  logical_and: compare("logical_and", (a, b) => a !== 0 && b !== 0),
  logical_or: compare("logical_or", (a, b) => a !== 0 || b !== 0),
  logical_xor: compare("logical_xor", (a, b) => (a !== 0) !== (b !== 0)),
  where,
} as const;

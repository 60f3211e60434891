// How the specs of elementwise operations are made from a plain function of numbers.
import type { DType } from "../../../lib/tensor/dtype.js";
import type { ToleranceClass } from "../../tolerances.js";
import type { OpSpec, Refusal, Sample } from "../spec.js";
import { countOf, extremes, mapBroadcast, uniform, value, whole, type Value } from "../value.js";

/** f32 programs flush subnormal numbers, on the way in too. */
const flushed = (x: Value): Value =>
  x.dtype === "f32" ? { ...x, data: x.data.map((e) => (Math.abs(e) < 2 ** -126 ? 0 * e : e)) } : x;

export type Scalar = (...x: number[]) => number;

export const wholeExtremes: readonly number[] = [
  0, 1, -1, 2147483647, -2147483648, 46341, -46341, 7, -7, 2, -2, 31, 1000003,
];

/** Shapes of one operand: empty, single, odd, and large with a rest. */
export const shapes: readonly (readonly number[])[] = [
  [],
  [1],
  [0],
  [3, 0, 2],
  [7],
  [17, 3],
  [5, 1, 9],
  [2, 3, 4, 5],
  [257, 397],
];

/** Pairs that broadcast. */
export const pairs: readonly (readonly (readonly number[])[])[] = [
  [[], []],
  [
    [7, 5],
    [7, 5],
  ],
  [
    [3, 1, 5],
    [4, 1],
  ],
  [[], [3, 4]],
  [[2, 3], [1]],
  [[0, 3], [3]],
  [
    [2, 0],
    [1, 1],
  ],
  [
    [5, 1],
    [1, 7],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
  [[317, 331], [331]],
  [
    [317, 331],
    [317, 1],
  ],
];

export interface Domain {
  readonly low: number;
  readonly high: number;
}

interface Elementwise {
  readonly f: Scalar;
  readonly arity: number;
  readonly tolerance: ToleranceClass;
  /** Element types that it takes. */
  readonly dtypes: readonly DType[];
  /** Where its samples lie, one for each operand. */
  readonly domains: readonly Domain[];
  /** Whether the extreme values are tried. */
  readonly extremes?: boolean;
  /** The result's element type, the operands' by default. */
  readonly result?: DType;
  /** Operands whose gradient is checked, within the domains of `smooth` (`domains` by default). */
  readonly gradients?: readonly number[];
  readonly smooth?: readonly Domain[];
  readonly errors?: readonly Refusal[];
  /** f for whole numbers, where it differs. */
  readonly whole?: Scalar;
}

const draw = (shape: readonly number[], dtype: DType, { low, high }: Domain): Value => {
  if (dtype === "i32") return whole(shape, Math.max(-50, Math.ceil(low)), Math.min(50, Math.ceil(high) + 1));
  if (dtype === "u8") return whole(shape, 0, 200, "u8");
  if (dtype === "bool") return whole(shape, 0, 2, "bool");
  return uniform(shape, low, high, dtype);
};

/** Every combination of the extreme values. */
function extremeOperands(dtype: DType, arity: number): Value[] {
  const all = dtype === "i32" ? wholeExtremes : extremes;
  const n = all.length;
  const count = n ** arity;
  return Array.from({ length: arity }, (_, k) =>
    value(
      dtype,
      [count],
      Float64Array.from({ length: count }, (_, i) => all[Math.floor(i / n ** k) % n]!),
    ),
  );
}

function samplesOf({ arity, dtypes, domains, extremes: tried = true }: Elementwise): Sample[] {
  const samples: Sample[] = [];
  for (const dtype of dtypes) {
    const layouts = arity === 1 ? shapes.map((shape) => [shape]) : pairs;
    for (const layout of layouts) {
      // What a large one tells is told by f32: cuts into tasks and rests of vectors.
      if (dtype !== "f32" && layout.some((shape) => countOf(shape) > 10_000)) continue;
      const operands = Array.from({ length: arity }, (_, k) => draw(layout[k % layout.length]!, dtype, domains[k]!));
      const name = `${dtype} ${operands.map(({ shape }) => `[${shape.join(", ")}]`).join(" ")}`;
      samples.push({ name, inputs: operands });
    }
    if (tried && (dtype === "f32" || dtype === "f64" || dtype === "i32")) {
      samples.push({ name: `${dtype} extremes`, inputs: extremeOperands(dtype, arity) });
    }
  }
  return samples;
}

/** The spec of an elementwise operation. */
export function elementwise(e: Elementwise): OpSpec {
  const smooth = e.smooth ?? e.domains;
  const gradientSamples = (): Sample[] =>
    (["f64", "f32"] as const).flatMap((dtype) =>
      (e.arity === 1
        ? [[[3, 4]]]
        : [
            [
              [3, 4],
              [3, 4],
            ],
            [
              [2, 1, 3],
              [4, 1],
            ],
            [[], [5]],
          ]
      ).map((layout) => ({
        name: `${dtype} ${layout.map((shape) => `[${shape.join(", ")}]`).join(" ")}`,
        inputs: Array.from({ length: e.arity }, (_, k) => draw(layout[k]!, dtype, smooth[k]!)),
      })),
    );
  return {
    kind: "operation",
    samples: () => samplesOf(e),
    reference: (inputs) => {
      const dtype = inputs[0]!.dtype;
      const f = dtype === "i32" && e.whole ? e.whole : e.f;
      const result = mapBroadcast(e.result ?? dtype, inputs.map(flushed), f);
      // Whole numbers wrap around, as the engine's do.
      return [result.dtype === "i32" ? { ...result, data: result.data.map((x) => x | 0) } : result];
    },
    tolerance: e.tolerance,
    ...(e.result === "bool" ? { fused: false } : {}),
    ...(e.gradients ? { gradients: { inputs: e.gradients, samples: gradientSamples, twice: true } } : {}),
    ...(e.errors ? { errors: e.errors } : {}),
  };
}

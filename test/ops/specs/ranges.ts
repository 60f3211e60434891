// native/ops/movement/movement.cc: concat, slice and pad, which set parts side by side, cut them out, and put a border around them.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec } from "../spec.js";
import { countOf, indices, like, stridesOf, type Value } from "../value.js";
import { draw, forTypes, inBoth, smooth } from "./moved.js";

/** Sets `part` into `y`, its element `index` at `place(index)`. */
function set(
  y: Float64Array,
  shape: readonly number[],
  part: Value,
  place: (index: readonly number[]) => readonly number[],
): void {
  const strides = stridesOf(shape);
  let at = 0;
  for (const index of indices(part.shape)) {
    y[place(index).reduce((offset, i, axis) => offset + i * strides[axis]!, 0)] = part.data[at++]!;
  }
}

function concatenate(parts: readonly Value[], attrs: NativeAttrs): Value {
  const given = (attrs.axis as number | undefined) ?? 0;
  const axis = given < 0 ? given + parts[0]!.shape.length : given;
  const shape = parts[0]!.shape.map((extent, i) =>
    i === axis ? parts.reduce((sum, part) => sum + part.shape[axis]!, 0) : extent,
  );
  const y = new Float64Array(countOf(shape));
  let start = 0;
  for (const part of parts) {
    set(y, shape, part, (index) => index.map((i, k) => (k === axis ? i + start : i)));
    start += part.shape[axis]!;
  }
  return like(parts[0]!, y, shape);
}

const joins: readonly { shapes: readonly (readonly number[])[]; axis: number }[] = [
  { shapes: [[3]], axis: 0 },
  { shapes: [[2], [1], [4]], axis: 0 },
  {
    shapes: [
      [2, 3],
      [5, 3],
    ],
    axis: 0,
  },
  {
    shapes: [
      [2, 3],
      [2, 1],
      [2, 0],
    ],
    axis: 1,
  },
  {
    shapes: [
      [2, 3, 4],
      [2, 2, 4],
    ],
    axis: -2,
  },
  {
    shapes: [
      [0, 3],
      [0, 2],
    ],
    axis: 1,
  },
  {
    shapes: [
      [157, 331],
      [160, 331],
    ],
    axis: 0,
  },
  {
    shapes: [
      [317, 31],
      [317, 300],
    ],
    axis: 1,
  },
];

const concat: OpSpec = {
  kind: "operation",
  samples: () =>
    forTypes((dtype) =>
      joins.map(({ shapes, axis }) => ({
        name: `${shapes.map((shape) => `[${shape.join(", ")}]`).join(" ")} along ${axis}`,
        inputs: shapes.map((shape) => draw(shape, dtype)),
        attrs: { axis },
      })),
    ),
  reference: (parts, attrs) => [concatenate(parts, attrs)],
  tolerance: "exact",
  gradients: {
    inputs: [0, 1],
    twice: false,
    samples: () =>
      inBoth((dtype) => [
        { name: "along 1", inputs: [smooth(dtype, [2, 3]), smooth(dtype, [2, 2])], attrs: { axis: 1 } },
      ]),
  },
  errors: [
    { inputs: [], code: "ERR_ATHANOR_ARGUMENT", message: "concat: takes one tensor or more, got none" },
    {
      inputs: [typed("f32", 2, 3), typed("f32", 2, 4)],
      attrs: { axis: 0 },
      code: "ERR_ATHANOR_SHAPE",
      message: "concat: operands may differ along axis 0 alone, got f32 [2, 3] and f32 [2, 4] (operand 1)",
    },
    {
      inputs: [typed("f32", 2), typed("i32", 2)],
      attrs: { axis: 0 },
      code: "ERR_ATHANOR_DTYPE",
      message: "concat: operands may differ along axis 0 alone, got f32 [2] and i32 [2] (operand 1)",
    },
  ],
};

interface Range {
  readonly start: readonly number[];
  readonly stop: readonly number[];
  readonly step: readonly number[];
}

/** Python's slices. */
function positions(n: number, start: number, stop: number, step: number): number[] {
  const clamp = (at: number, low: number, high: number) => Math.max(low, Math.min(high, at < 0 ? at + n : at));
  const [low, high] = step > 0 ? [0, n] : [-1, n - 1];
  const from = clamp(start, low, high);
  const to = clamp(stop, low, high);
  const all: number[] = [];
  for (let at = from; step > 0 ? at < to : at > to; at += step) all.push(at);
  return all;
}

function cut(x: Value, { start, stop, step }: Range): Value {
  const axes = x.shape.map((n, axis) => positions(n, start[axis]!, stop[axis]!, step[axis]!));
  const shape = axes.map((axis) => axis.length);
  const strides = stridesOf(x.shape);
  const data = new Float64Array(countOf(shape));
  let at = 0;
  for (const index of indices(shape)) {
    data[at++] = x.data[index.reduce((sum, i, axis) => sum + axes[axis]![i]! * strides[axis]!, 0)]!;
  }
  return like(x, data, shape);
}

const cuts: readonly (Range & { shape: readonly number[] })[] = [
  { shape: [], start: [], stop: [], step: [] },
  { shape: [7], start: [2], stop: [5], step: [1] },
  { shape: [7], start: [-3], stop: [100], step: [1] },
  { shape: [7], start: [0], stop: [7], step: [3] },
  { shape: [7], start: [6], stop: [-8], step: [-1] },
  { shape: [7], start: [5], stop: [0], step: [-2] },
  { shape: [7], start: [4], stop: [4], step: [1] },
  { shape: [7], start: [5], stop: [2], step: [1] },
  { shape: [5, 6], start: [1, 0], stop: [4, 6], step: [1, 2] },
  { shape: [5, 6], start: [4, 5], stop: [-6, -7], step: [-1, -2] },
  { shape: [3, 4, 5], start: [0, 1, 2], stop: [3, 2, 4], step: [2, 1, 1] },
  { shape: [0, 4], start: [0, 1], stop: [0, 3], step: [1, 1] },
  { shape: [317, 331], start: [1, 3], stop: [316, 330], step: [1, 1] },
  { shape: [317, 331], start: [316, 0], stop: [-318, 331], step: [-1, 2] },
];

const slice: OpSpec = {
  kind: "operation",
  samples: () =>
    forTypes((dtype) =>
      cuts.map(({ shape, ...attrs }) => ({
        name: `[${shape.join(", ")}] ${JSON.stringify(attrs)}`,
        inputs: [draw(shape, dtype)],
        attrs,
      })),
    ),
  reference: ([x], attrs) => [cut(x!, attrs as unknown as Range)],
  tolerance: "exact",
  gradients: {
    inputs: [0],
    twice: false,
    samples: () =>
      inBoth((dtype) =>
        cuts
          .slice(1, 11)
          .map(({ shape, ...attrs }) => ({ name: JSON.stringify(attrs), inputs: [smooth(dtype, shape)], attrs })),
      ),
  },
  errors: [
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { start: [0], stop: [1] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "slice: start, stop and step take one number for each of the 2 axes of [2, 3]",
    },
    {
      inputs: [typed("f32", 2)],
      attrs: { start: [0], stop: [1], step: [0] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "slice: the step of axis 0 must not be 0",
    },
  ],
};

function padded(x: Value, attrs: NativeAttrs): Value {
  const low = attrs.low as readonly number[];
  const high = attrs.high as readonly number[];
  const step = (attrs.step as readonly number[] | undefined) ?? x.shape.map(() => 1);
  const covered = x.shape.map((n, axis) => (n === 0 ? 0 : (n - 1) * Math.abs(step[axis]!) + 1));
  const shape = covered.map((n, axis) => low[axis]! + n + high[axis]!);
  const y = new Float64Array(countOf(shape)).fill((attrs.value as number | undefined) ?? 0);
  set(y, shape, x, (index) =>
    index.map((i, axis) => low[axis]! + (step[axis]! > 0 ? i * step[axis]! : (x.shape[axis]! - 1 - i) * -step[axis]!)),
  );
  return like(x, y, shape);
}

const pads: readonly (NativeAttrs & { shape: readonly number[]; low: readonly number[]; high: readonly number[] })[] = [
  { shape: [], low: [], high: [] },
  { shape: [3], low: [0], high: [0] },
  { shape: [3], low: [2], high: [1], value: 1 },
  { shape: [2, 3], low: [0, 1], high: [2, 0] },
  { shape: [2, 3, 4], low: [1, 0, 3], high: [0, 2, 1], value: 1 },
  { shape: [0, 2], low: [1, 1], high: [1, 0], value: 1 },
  { shape: [3, 2], low: [1, 0], high: [0, 1], step: [2, -1] },
  { shape: [4], low: [2], high: [3], step: [-3], value: 1 },
  { shape: [315, 329], low: [1, 0], high: [1, 2] },
];

const pad: OpSpec = {
  kind: "operation",
  samples: () =>
    forTypes((dtype) =>
      pads.map(({ shape, ...attrs }) => ({
        name: `[${shape.join(", ")}] ${JSON.stringify(attrs)}`,
        inputs: [draw(shape, dtype)],
        attrs,
      })),
    ),
  reference: ([x], attrs) => [padded(x!, attrs)],
  tolerance: "exact",
  gradients: {
    inputs: [0],
    twice: false,
    samples: () =>
      inBoth((dtype) =>
        pads
          .slice(2, 8)
          .filter(({ shape }) => shape[0] !== 0)
          .map(({ shape, ...attrs }) => ({ name: JSON.stringify(attrs), inputs: [smooth(dtype, shape)], attrs })),
      ),
  },
  errors: [
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { low: [1, -1], high: [0, 0] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "pad: low and high take a count of 0 or more for each of the 2 axes of [2, 3]",
    },
  ],
};

export const ranges = { concat, slice, pad } as const;

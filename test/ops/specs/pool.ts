// native/ops/pool/pool.cc: pooling of images; a maximum also says which tap of its window it came from.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Refusal, type Sample } from "../spec.js";
import { countOf, distinct, uniform, value, whole, type Value } from "../value.js";
import { forTaps, inside, outputSize, windowOf, type Window } from "./images.js";

type Four = readonly [number, number, number, number];

const windowIn = (attrs: NativeAttrs): Window => windowOf(attrs, attrs.kernel as number[], attrs.kernel as number[]);

/** Calls f(index in y, index in x or -1 in the padding, tap) image by image. */
function forWindows(
  x: Four,
  attrs: NativeAttrs,
  f: (y: number, x: number, tap: number, h: number, w: number) => void,
): Four {
  const [N, C, H, W] = x;
  const window = windowIn(attrs);
  const [OH, OW] = outputSize(window, H, W);
  for (let image = 0; image < N * C; ++image) {
    forTaps(window, [OH, OW], (oh, ow, h, w, tap) => {
      f(image * OH * OW + oh * OW + ow, inside(h, w, H, W) ? image * H * W + h * W + w : -1, tap, h, w);
    });
  }
  return [N, C, OH, OW];
}

const shapeOf = (x: Value): Four => x.shape as unknown as Four;

function yShape(x: Four, attrs: NativeAttrs): Four {
  return [x[0], x[1], ...outputSize(windowIn(attrs), x[2], x[3])];
}

/** The first largest tap wins, NaN over all; padding never does. */
function maxPool(x: Value, attrs: NativeAttrs): Value[] {
  const shape = yShape(shapeOf(x), attrs);
  const y = new Float64Array(countOf(shape)).fill(-Infinity);
  const taps = new Float64Array(countOf(shape)).fill(-1);
  forWindows(shapeOf(x), attrs, (o, i, tap) => {
    if (i < 0) return;
    const e = x.data[i]!;
    if (taps[o]! < 0 || (!Number.isNaN(y[o]!) && (Number.isNaN(e) || e > y[o]!))) {
      y[o] = e;
      taps[o] = tap;
    }
  });
  const [kh, kw] = attrs.kernel as [number, number];
  return [
    { dtype: "f32", shape, data: y },
    { dtype: kh * kw <= 255 ? "u8" : "i32", shape, data: taps },
  ];
}

function maxPoolGrad(dy: Value, taps: Value, attrs: NativeAttrs): Value {
  const shape = attrs.shape as unknown as Four;
  const dx = new Float64Array(countOf(shape));
  forWindows(shape, attrs, (o, i, tap) => {
    if (i >= 0 && taps.data[o] === tap) dx[i]! += dy.data[o]!;
  });
  return { dtype: "f32", shape, data: dx };
}

/** How many taps each window divides by: those within the padded image, or within the image. */
function divisors(x: Four, attrs: NativeAttrs): Float64Array {
  const [top, bottom, left, right] = windowIn(attrs).padding;
  const counts = new Float64Array(countOf(yShape(x, attrs)));
  const all = attrs.count_padding !== false;
  forWindows(x, attrs, (o, i, _, h, w) => {
    const padded = h >= -top && h < x[2] + bottom && w >= -left && w < x[3] + right;
    if (all ? padded : i >= 0) counts[o]! += 1;
  });
  return counts;
}

function averagePool(x: Value, attrs: NativeAttrs): Value {
  const counts = divisors(shapeOf(x), attrs);
  const y = new Float64Array(counts.length);
  const shape = forWindows(shapeOf(x), attrs, (o, i) => {
    if (i >= 0) y[o]! += x.data[i]! / counts[o]!;
  });
  return { dtype: "f32", shape, data: y };
}

function averagePoolGrad(dy: Value, attrs: NativeAttrs): Value {
  const shape = attrs.shape as unknown as Four;
  const counts = divisors(shape, attrs);
  const dx = new Float64Array(countOf(shape));
  forWindows(shape, attrs, (o, i) => {
    if (i >= 0) dx[i]! += dy.data[o]! / counts[o]!;
  });
  return { dtype: "f32", shape, data: dx };
}

interface Layout {
  readonly name: string;
  readonly x: Four;
  readonly attrs: NativeAttrs;
}

const layouts: readonly Layout[] = [
  { name: "one pixel", x: [1, 1, 1, 1], attrs: { kernel: [1, 1] } },
  { name: "2 × 2", x: [2, 3, 6, 8], attrs: { kernel: [2, 2] } },
  { name: "2 × 2 with a rest", x: [2, 3, 7, 19], attrs: { kernel: [2, 2] } },
  { name: "overlapping 3 × 3", x: [1, 2, 9, 35], attrs: { kernel: [3, 3], stride: [2, 2] } },
  { name: "stride 1", x: [1, 2, 5, 21], attrs: { kernel: [3, 2], stride: [1, 1] } },
  { name: "padding", x: [2, 2, 5, 6], attrs: { kernel: [3, 3], stride: [2, 1], padding: [1, 1, 1, 1] } },
  { name: "uneven padding", x: [1, 2, 5, 6], attrs: { kernel: [3, 4], stride: [2, 2], padding: [1, 0, 0, 2] } },
  { name: "the whole image", x: [2, 5, 7, 9], attrs: { kernel: [7, 9] } },
  { name: "an empty batch", x: [0, 2, 4, 4], attrs: { kernel: [2, 2] } },
  { name: "large", x: [3, 8, 65, 67], attrs: { kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] } },
];

const dilated: readonly Layout[] = [
  {
    name: "dilation",
    x: [1, 2, 9, 10],
    attrs: { kernel: [3, 2], stride: [1, 2], dilation: [2, 3], padding: [1, 1, 0, 1] },
  },
  { name: "a window of more than 255 taps", x: [1, 1, 18, 19], attrs: { kernel: [16, 17], stride: [1, 1] } },
];

const uncounted: readonly Layout[] = layouts
  .filter(({ attrs }) => attrs.padding)
  .map((layout) => ({
    ...layout,
    name: `${layout.name}, not counted`,
    attrs: { ...layout.attrs, count_padding: false },
  }));

const samplesOf = (all: readonly Layout[], draw: (shape: Four) => Value): Sample[] =>
  all.map(({ name, x, attrs }) => ({ name, inputs: [draw(x)], attrs }));

const smooth = layouts.filter(({ name }) => ["padding", "uneven padding"].includes(name));

const adjoint = (all: readonly Layout[]): Sample[] =>
  all.map(({ name, x, attrs }) => ({ name, inputs: [uniform(yShape(x, attrs))], attrs: { ...attrs, shape: x } }));

const refusals = (name: string): Refusal[] => [
  {
    inputs: [typed("f64", 1, 1, 4, 4)],
    attrs: { kernel: [2, 2] },
    code: "ERR_ATHANOR_DTYPE",
    message: `${name}: takes f32 [N, C, H, W], got f64 [1, 1, 4, 4]`,
  },
  {
    inputs: [typed("f32", 4, 4)],
    attrs: { kernel: [2, 2] },
    code: "ERR_ATHANOR_SHAPE",
    message: `${name}: takes f32 [N, C, H, W], got f32 [4, 4]`,
  },
  {
    inputs: [typed("f32", 1, 1, 4, 4)],
    attrs: { kernel: [5, 2] },
    code: "ERR_ATHANOR_SHAPE",
    message: `${name}: a window of 5 × 2 does not fit the padded image [1, 1, 4, 4]; add padding or shrink the kernel`,
  },
  {
    inputs: [typed("f32", 1, 1, 4, 4)],
    attrs: { kernel: [2] },
    code: "ERR_ATHANOR_ARGUMENT",
    message: `${name}: kernel takes 2 whole numbers of 1 or more, got kernel=[2]`,
  },
  ...[
    [2, 0, 0, 0],
    [0, 0, 0, 3],
    [2, 2, 2, 2],
  ].map((padding): Refusal => ({
    inputs: [typed("f32", 1, 1, 4, 4)],
    attrs: { kernel: [3, 4], padding },
    code: "ERR_ATHANOR_ARGUMENT",
    message: `${name}: padding may be at most half the window, 1 of 3 rows and 2 of 4 columns, got top ${padding[0]}, bottom ${padding[1]}, left ${padding[2]} and right ${padding[3]}; pad the image itself (x.pad) for more`,
  })),
];

export const pools = {
  max_pool2d: {
    kind: "operation",
    samples: () => [
      ...samplesOf([...layouts, ...dilated], (shape) => uniform(shape)),
      ...samplesOf(layouts.slice(1, 6), (shape) => whole(shape, 0, 3, "f32")).map((s) => ({
        ...s,
        name: `${s.name}, ties`,
      })),
      {
        name: "NaN and infinities",
        inputs: [
          value(
            "f32",
            [1, 1, 2, 8],
            [NaN, 1, 2, NaN, -Infinity, -Infinity, 1, Infinity, 0, 0, 0, 3, -Infinity, -Infinity, NaN, NaN],
          ),
        ],
        attrs: { kernel: [2, 2] },
      },
    ],
    reference: ([x], attrs) => maxPool(x!, attrs),
    tolerance: "exact",
    gradients: { inputs: [0], twice: false, samples: () => samplesOf(smooth, (shape) => distinct(shape)) },
    errors: refusals("max_pool2d"),
  },
  max_pool2d_grad: {
    kind: "operation",
    samples: () =>
      [...layouts, ...dilated].map(({ name, x, attrs }) => ({
        name,
        inputs: [uniform(yShape(x, attrs)), maxPool(uniform(x), attrs)[1]!],
        attrs: { ...attrs, shape: x },
      })),
    reference: ([dy, taps], attrs) => [maxPoolGrad(dy!, taps!, attrs)],
    tolerance: "dot",
  },
  avg_pool2d: {
    kind: "operation",
    samples: () => samplesOf([...layouts, ...uncounted], (shape) => uniform(shape)),
    reference: ([x], attrs) => [averagePool(x!, attrs)],
    tolerance: "dot",
    gradients: {
      inputs: [0],
      twice: true,
      samples: () => samplesOf([...smooth, ...uncounted.slice(0, 1)], (shape) => uniform(shape)),
    },
    errors: refusals("avg_pool2d"),
  },
  avg_pool2d_grad: {
    kind: "operation",
    samples: () => adjoint([...layouts, ...uncounted]),
    reference: ([dy], attrs) => [averagePoolGrad(dy!, attrs)],
    tolerance: "dot",
    gradients: { inputs: [0], twice: true, samples: () => adjoint(smooth) },
  },
} as const satisfies Record<string, OpSpec>;

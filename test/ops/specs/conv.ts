// native/ops/conv/conv.cc: cross-correlation of images, and its two gradients, which are its adjoints.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { countOf, uniform, type Value } from "../value.js";
import { forTaps, inside, outputSize, windowOf } from "./images.js";

type Four = readonly [number, number, number, number];

/** Calls f(index in x, index in w, index in y) for every product of the convolution. */
function forProducts(
  xShape: Four,
  wShape: Four,
  attrs: NativeAttrs,
  f: (x: number, w: number, y: number) => void,
): Four {
  const [N, C, H, W] = xShape;
  const [O, perGroup, KH, KW] = wShape;
  const groups = (attrs.groups as number | undefined) ?? 1;
  const window = windowOf(attrs, [KH, KW], [1, 1]);
  const [OH, OW] = outputSize(window, H, W);
  for (let n = 0; n < N; ++n) {
    for (let o = 0; o < O; ++o) {
      const group = Math.floor(o / (O / groups));
      for (let c = 0; c < perGroup; ++c) {
        const [x0, w0, y0] = [
          (n * C + group * perGroup + c) * H * W,
          (o * perGroup + c) * KH * KW,
          (n * O + o) * OH * OW,
        ];
        forTaps(window, [OH, OW], (oh, ow, h, w, tap) => {
          if (inside(h, w, H, W)) f(x0 + h * W + w, w0 + tap, y0 + oh * OW + ow);
        });
      }
    }
  }
  return [N, O, OH, OW];
}

const f32 = (shape: readonly number[], data: Float64Array): Value => ({ dtype: "f32", shape, data });

const yShape = (x: Four, w: Four, attrs: NativeAttrs): Four => [
  x[0],
  w[0],
  ...outputSize(windowOf(attrs, [w[2], w[3]], [1, 1]), x[2], x[3]),
];

function convolve(x: Value, w: Value, attrs: NativeAttrs): Value {
  const shape = yShape(x.shape as unknown as Four, w.shape as unknown as Four, attrs);
  const y = new Float64Array(countOf(shape));
  forProducts(
    x.shape as unknown as Four,
    w.shape as unknown as Four,
    attrs,
    (i, k, o) => (y[o]! += x.data[i]! * w.data[k]!),
  );
  return f32(shape, y);
}

function gradInput(dy: Value, w: Value, attrs: NativeAttrs): Value {
  const shape = attrs.shape as unknown as Four;
  const dx = new Float64Array(countOf(shape));
  forProducts(shape, w.shape as unknown as Four, attrs, (i, k, o) => (dx[i]! += dy.data[o]! * w.data[k]!));
  return f32(shape, dx);
}

function gradWeight(x: Value, dy: Value, attrs: NativeAttrs): Value {
  const shape = attrs.shape as unknown as Four;
  const dw = new Float64Array(countOf(shape));
  forProducts(x.shape as unknown as Four, shape, attrs, (i, k, o) => (dw[k]! += x.data[i]! * dy.data[o]!));
  return f32(shape, dw);
}

interface Layout {
  readonly name: string;
  readonly x: Four;
  readonly w: Four;
  readonly attrs?: NativeAttrs;
}

const small: readonly Layout[] = [
  { name: "one pixel", x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { name: "3 × 3", x: [2, 3, 7, 9], w: [5, 3, 3, 3] },
  { name: "3 × 3, same size", x: [2, 4, 6, 5], w: [9, 4, 3, 3], attrs: { padding: [1, 1, 1, 1] } },
  { name: "1 × 1", x: [2, 5, 4, 7], w: [17, 5, 1, 1] },
  { name: "1 × 1, stride 2", x: [2, 5, 5, 7], w: [3, 5, 1, 1], attrs: { stride: [2, 2] } },
  {
    name: "stride, uneven padding",
    x: [2, 3, 11, 10],
    w: [4, 3, 3, 5],
    attrs: { stride: [2, 3], padding: [2, 0, 1, 3] },
  },
  { name: "dilation", x: [1, 2, 9, 11], w: [3, 2, 3, 2], attrs: { dilation: [2, 3], padding: [1, 2, 0, 1] } },
  { name: "groups", x: [2, 6, 6, 6], w: [4, 3, 3, 3], attrs: { groups: 2, padding: [1, 1, 1, 1] } },
  { name: "depthwise", x: [2, 5, 7, 19], w: [5, 1, 3, 3], attrs: { groups: 5, padding: [1, 1, 1, 1] } },
  { name: "depthwise, stride 2", x: [1, 5, 9, 18], w: [5, 1, 3, 3], attrs: { groups: 5, stride: [2, 2] } },
  { name: "depthwise with a multiplier", x: [1, 3, 6, 7], w: [6, 1, 3, 3], attrs: { groups: 3 } },
  { name: "padding wider than the kernel", x: [1, 1, 2, 2], w: [2, 1, 3, 3], attrs: { padding: [4, 4, 4, 4] } },
  { name: "an empty batch", x: [0, 3, 5, 5], w: [2, 3, 3, 3] },
];

const large: readonly Layout[] = [
  { name: "large", x: [3, 8, 41, 43], w: [16, 8, 3, 3], attrs: { padding: [1, 1, 1, 1] } },
  { name: "large, few channels", x: [5, 1, 28, 28], w: [32, 1, 5, 5] },
  { name: "large, stride 2", x: [2, 16, 33, 35], w: [24, 16, 3, 3], attrs: { stride: [2, 2], padding: [1, 1, 1, 1] } },
  { name: "large, 1 × 1", x: [2, 32, 23, 29], w: [33, 32, 1, 1] },
  { name: "large, depthwise", x: [2, 24, 37, 41], w: [24, 1, 3, 3], attrs: { groups: 24, padding: [1, 1, 1, 1] } },
];

const draw = (shape: readonly number[]): Value => uniform(shape, -1, 1);

const forward = (layouts: readonly Layout[]): Sample[] =>
  layouts.map(({ name, x, w, attrs = {} }) => ({ name, inputs: [draw(x), draw(w)], attrs }));

const backwardInput = (layouts: readonly Layout[]): Sample[] =>
  layouts.map(({ name, x, w, attrs = {} }) => ({
    name,
    inputs: [draw(yShape(x, w, attrs)), draw(w)],
    attrs: { ...attrs, shape: x },
  }));

const backwardWeight = (layouts: readonly Layout[]): Sample[] =>
  layouts.map(({ name, x, w, attrs = {} }) => ({
    name,
    inputs: [draw(x), draw(yShape(x, w, attrs))],
    attrs: { ...attrs, shape: w },
  }));

const smooth: readonly Layout[] = [
  { name: "3 × 3", x: [1, 2, 4, 5], w: [2, 2, 3, 3] },
  {
    name: "stride, padding, dilation",
    x: [1, 2, 6, 5],
    w: [2, 2, 2, 3],
    attrs: { stride: [2, 1], padding: [1, 0, 2, 1], dilation: [2, 1] },
  },
  { name: "groups", x: [2, 2, 3, 3], w: [4, 1, 2, 2], attrs: { groups: 2 } },
  { name: "1 × 1", x: [1, 3, 2, 3], w: [2, 3, 1, 1] },
];

const conv2d: OpSpec = {
  kind: "operation",
  samples: () => forward([...small, ...large]),
  reference: ([x, w], attrs) => [convolve(x!, w!, attrs)],
  tolerance: "dot",
  gradients: { inputs: [0, 1], twice: true, samples: () => forward(smooth) },
  errors: [
    {
      inputs: [typed("f64", 1, 1, 3, 3), typed("f64", 1, 1, 3, 3)],
      code: "ERR_ATHANOR_DTYPE",
      message: "conv2d: takes f32, got f64 and weights f64; cast them first",
    },
    {
      inputs: [typed("f32", 1, 3, 3), typed("f32", 1, 1, 3, 3)],
      code: "ERR_ATHANOR_SHAPE",
      message: "conv2d: takes x [N, C, H, W] and w [O, C / groups, KH, KW], got [1, 3, 3] and [1, 1, 3, 3]",
    },
    {
      inputs: [typed("f32", 1, 3, 8, 8), typed("f32", 4, 2, 3, 3)],
      code: "ERR_ATHANOR_SHAPE",
      message: "conv2d: input has 3 channels, the weights [4, 2, 3, 3] expect 2",
    },
    {
      inputs: [typed("f32", 1, 3, 8, 8), typed("f32", 4, 1, 3, 3)],
      attrs: { groups: 2 },
      code: "ERR_ATHANOR_SHAPE",
      message: "conv2d: groups must divide the channels, got 2 groups for 3 input and 4 output channels",
    },
    {
      inputs: [typed("f32", 1, 3, 2, 8), typed("f32", 4, 3, 3, 3)],
      code: "ERR_ATHANOR_SHAPE",
      message: "conv2d: a window of 3 × 3 does not fit the padded image of 2 × 8; add padding or shrink the kernel",
    },
    {
      inputs: [typed("f32", 1, 3, 8, 8), typed("f32", 4, 3, 3, 3)],
      attrs: { stride: [0, 1] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "conv2d: stride must be a list of whole numbers, each in [1, 2^30), got [0, 1]",
    },
  ],
};

const conv2dGradInput: OpSpec = {
  kind: "operation",
  samples: () => backwardInput([...small, ...large]),
  reference: ([dy, w], attrs) => [gradInput(dy!, w!, attrs)],
  tolerance: "dot",
  gradients: { inputs: [0, 1], twice: true, samples: () => backwardInput(smooth) },
};

const conv2dGradWeight: OpSpec = {
  kind: "operation",
  samples: () => backwardWeight([...small, ...large]),
  reference: ([x, dy], attrs) => [gradWeight(x!, dy!, attrs)],
  tolerance: "dot",
  gradients: { inputs: [0, 1], twice: true, samples: () => backwardWeight(smooth) },
};

export const convolutions = {
  conv2d,
  conv2d_grad_input: conv2dGradInput,
  conv2d_grad_weight: conv2dGradWeight,
} as const;

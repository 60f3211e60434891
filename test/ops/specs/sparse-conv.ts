// native/ops/sparse/sparse_conv.cc: convolution with a weight given as bitmap and values, against the dense reference with its expansion.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { countOf, uniform, value, type Value } from "../value.js";
import { convolutions } from "./conv.js";
import { bitmapOf, maskOf, nnzOf, type Pattern } from "./sparse-patterns.js";

type Four = readonly [number, number, number, number];

const places = (bitmap: Value, columns: number): number[] => {
  const [rows, bytes] = bitmap.shape as [number, number];
  return Array.from({ length: rows * columns }, (_, i) => i).filter((i) => {
    const [row, k] = [Math.floor(i / columns), i % columns];
    return (bitmap.data[row * bytes + (k >> 3)]! >> (k & 7)) & 1;
  });
};

/** The dense weight's shape, from the images' channels and the attributes. */
function weightShape(channels: number, bitmap: Value, attrs: NativeAttrs): Four {
  const [high, wide] = attrs.kernel as unknown as [number, number];
  return [bitmap.shape[0]!, channels / ((attrs.groups as number | undefined) ?? 1), high, wide];
}

function expand(shape: Four, bitmap: Value, values: Value): Value {
  const data = new Float64Array(countOf(shape));
  places(bitmap, countOf(shape.slice(1))).forEach((at, i) => (data[at] = values.data[i]!));
  return { dtype: "f32", shape, data };
}

function convolve([x, bitmap, values]: readonly Value[], attrs: NativeAttrs): readonly Value[] {
  const w = expand(weightShape(x!.shape[1]!, bitmap!, attrs), bitmap!, values!);
  return convolutions.conv2d.reference([x!, w], attrs);
}

function gradInput([dy, bitmap, values]: readonly Value[], attrs: NativeAttrs): readonly Value[] {
  const [, channels] = attrs.shape as unknown as Four;
  const w = expand(weightShape(channels, bitmap!, attrs), bitmap!, values!);
  return convolutions.conv2d_grad_input.reference([dy!, w], attrs);
}

function gradValues([x, dy, bitmap]: readonly Value[], attrs: NativeAttrs): readonly Value[] {
  const shape = weightShape(x!.shape[1]!, bitmap!, attrs);
  const [dw] = convolutions.conv2d_grad_weight.reference([x!, dy!], { ...attrs, shape });
  const data = Float64Array.from(places(bitmap!, countOf(shape.slice(1))), (at) => dw!.data[at]!);
  return [{ dtype: "f32", shape: [data.length], data }];
}

interface Layout {
  readonly name: string;
  readonly x: Four;
  readonly w: Four;
  readonly attrs?: NativeAttrs;
  readonly pattern?: Pattern;
}

const small: readonly Layout[] = [
  { name: "one pixel", x: [1, 1, 1, 1], w: [1, 1, 1, 1], pattern: { density: 1 } },
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
  { name: "padding wider than the kernel", x: [1, 1, 2, 2], w: [2, 1, 3, 3], attrs: { padding: [4, 4, 4, 4] } },
  { name: "an empty batch", x: [0, 3, 5, 5], w: [2, 3, 3, 3] },
  { name: "no weight at all", x: [2, 3, 5, 5], w: [2, 3, 3, 3], pattern: { density: 0 } },
  { name: "every weight", x: [2, 3, 5, 5], w: [2, 3, 3, 3], pattern: { density: 1 } },
  { name: "empty channels", x: [2, 3, 5, 5], w: [7, 3, 3, 3], pattern: { density: 0.5, emptyRows: true } },
];

const large: readonly Layout[] = [
  { name: "large", x: [3, 8, 41, 43], w: [16, 8, 3, 3], attrs: { padding: [1, 1, 1, 1] }, pattern: { density: 0.1 } },
  {
    name: "large, stride 2",
    x: [2, 16, 33, 35],
    w: [24, 16, 3, 3],
    attrs: { stride: [2, 2], padding: [1, 1, 1, 1] },
    pattern: { density: 0.1 },
  },
];

const draw = (shape: readonly number[]): Value => uniform(shape, -1, 1);

function patternOf({ w, pattern = { density: 0.4 } }: Layout): { bitmap: Value; nnz: number; kernel: number[] } {
  const columns = countOf(w.slice(1));
  const mask = maskOf(w[0], columns, pattern);
  return { bitmap: bitmapOf(mask, w[0], columns), nnz: nnzOf(mask), kernel: [w[2], w[3]] };
}

/** What the dense convolution of these sizes gives. */
const outputShape = ({ x, w, attrs = {} }: Layout): readonly number[] =>
  convolutions.conv2d.reference([draw(x), draw(w)], attrs)[0]!.shape;

const forward = (layouts: readonly Layout[]): Sample[] =>
  layouts.map((layout) => {
    const { bitmap, nnz, kernel } = patternOf(layout);
    const { name, x, attrs = {} } = layout;
    return { name, inputs: [draw(x), bitmap, draw([nnz])], attrs: { ...attrs, kernel } };
  });

const backwardInput = (layouts: readonly Layout[]): Sample[] =>
  layouts.map((layout) => {
    const { bitmap, nnz, kernel } = patternOf(layout);
    const { name, x, attrs = {} } = layout;
    const inputs = [draw(outputShape(layout)), bitmap, draw([nnz])];
    return { name, inputs, attrs: { ...attrs, kernel, shape: x } };
  });

const backwardValues = (layouts: readonly Layout[]): Sample[] =>
  layouts.map((layout) => {
    const { bitmap, nnz, kernel } = patternOf(layout);
    const { name, x, attrs = {} } = layout;
    return { name, inputs: [draw(x), draw(outputShape(layout)), bitmap], attrs: { ...attrs, kernel, nnz } };
  });

const smooth: readonly Layout[] = [
  { name: "3 × 3", x: [1, 2, 4, 5], w: [2, 2, 3, 3] },
  {
    name: "stride, padding, dilation",
    x: [1, 2, 6, 5],
    w: [2, 2, 2, 3],
    attrs: { stride: [2, 1], padding: [1, 0, 2, 1], dilation: [2, 1] },
  },
  { name: "groups", x: [2, 2, 3, 3], w: [4, 1, 2, 2], attrs: { groups: 2 } },
];

const conv2d: OpSpec = {
  kind: "operation",
  samples: () => forward([...small, ...large]),
  reference: convolve,
  tolerance: "dot",
  gradients: { inputs: [0, 2], twice: true, samples: () => forward(smooth) },
  errors: [
    {
      inputs: [typed("f32", 1, 3, 8, 8), typed("u8", 4, 3), typed("f32", 5)],
      attrs: { kernel: [3, 3] },
      code: "ERR_ATHANOR_SHAPE",
      message: "sparse_conv2d: the bitmap of a weight [4, 27] is u8 [4, 4], one bit an element, got u8 [4, 3]",
    },
    {
      inputs: [typed("f32", 1, 3, 8, 8), typed("u8", 4, 4), typed("f32", 5)],
      attrs: { kernel: [3] },
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        "sparse_conv2d: kernel takes the height and width of the weight, two whole numbers of 1 or more, got [3]",
    },
    {
      inputs: [typed("f32", 3, 8, 8), typed("u8", 4, 4), typed("f32", 5)],
      attrs: { kernel: [3, 3] },
      code: "ERR_ATHANOR_SHAPE",
      message:
        "sparse_conv2d: takes x [N, C, H, W] and a bitmap u8 [O, ceil(C / groups * KH * KW / 8)], got f32 [3, 8, 8] and u8 [4, 4]",
    },
    {
      inputs: [uniform([1, 1, 3, 3]), value("u8", [1, 1], [7]), uniform([2])],
      attrs: { kernel: [2, 2] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "sparse_conv2d: the bitmap marks 3 weights, but there are 2 values; make both from the same mask",
    },
  ],
};

const conv2dGradInput: OpSpec = {
  kind: "operation",
  samples: () => backwardInput([...small, ...large]),
  reference: gradInput,
  tolerance: "dot",
  gradients: { inputs: [0, 2], twice: true, samples: () => backwardInput(smooth) },
};

const conv2dGradValues: OpSpec = {
  kind: "operation",
  samples: () => backwardValues([...small, ...large]),
  reference: gradValues,
  tolerance: "dot",
  gradients: { inputs: [0, 1], twice: true, samples: () => backwardValues(smooth) },
};

export const sparseConvolutions = {
  sparse_conv2d: conv2d,
  sparse_conv2d_grad_input: conv2dGradInput,
  sparse_conv2d_grad_values: conv2dGradValues,
} as const;

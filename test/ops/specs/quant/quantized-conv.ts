// native/ops/quant/quantized_conv.cc: a convolution with a quantized weight, images as they are or rounded to integers.
import type { NativeAttrs } from "../../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../../spec.js";
import { uniform, value, type Value } from "../../value.js";
import { convolutions } from "../conv.js";
import { decode, drawWeight, kinds, roundActivations, type Format, type WeightOptions } from "./quantized-weight.js";

type Four = readonly [number, number, number, number];
type Activations = "float" | "dynamic" | "static";

const convolve = (x: Value, w: Value, attrs: NativeAttrs): Value => convolutions.conv2d.reference([x, w], attrs)[0]!;

/** Every image with its own step, every group of a weight with its own scale: sums of convolutions over parts of the weight. */
function reference(
  [x, ...rest]: readonly Value[],
  attrs: NativeAttrs,
  of = (numbers: Float64Array): Float64Array => numbers,
): Value {
  const w = decode(rest, attrs);
  const window = attrs.window as readonly number[];
  const shape = [w.N, x!.shape[1]! / ((attrs.groups as number | undefined) ?? 1), ...window];
  const tensor = (dtype: Value["dtype"], extents: readonly number[], data: Float64Array): Value => ({
    dtype,
    shape: extents,
    data: of(data),
  });
  if (attrs.activations === "float") {
    return convolve(tensor("f32", x!.shape, x!.data), tensor("f32", shape, w.values), attrs);
  }
  const act = attrs.act ? rest.at(-1) : undefined;
  const scaled = w.integers.map((v, i) => v * w.scale(Math.floor(i / w.K), i % w.K));
  const size = x!.shape.slice(1).reduce((a, b) => a * b, 1);
  const images = Array.from({ length: x!.shape[0]! }, (_, n) => {
    const { integers, step } = roundActivations(x!.data.subarray(n * size, (n + 1) * size), act);
    const y = convolve(tensor("f32", [1, ...x!.shape.slice(1)], integers), tensor("f32", shape, scaled), attrs);
    return { shape: y.shape, data: y.data.map((v) => v * step * w.unit) };
  });
  const one = images[0] ?? convolve(tensor("f32", x!.shape, x!.data), tensor("f32", shape, w.values), attrs);
  return {
    dtype: "f32",
    shape: [images.length, ...one.shape.slice(1)],
    data: Float64Array.from(images.flatMap((image) => [...image.data])),
  };
}

interface Case extends Omit<WeightOptions, "N" | "K"> {
  readonly name: string;
  readonly x: Four;
  readonly w: Four;
  readonly geometry?: NativeAttrs;
  readonly values?: Value;
}

function sample(options: Case, activations: Activations): Sample {
  const { name, x, w, geometry = {}, values } = options;
  const { operands, attrs } = drawWeight({ ...options, N: w[0], K: w[1] * w[2] * w[3] });
  const act = activations === "static" ? [value("f32", [2], [0.0171, 93])] : [];
  return {
    name: `${name}, ${options.format}, ${activations}`,
    inputs: [values ?? uniform(x, -2, 2), ...operands, ...act],
    attrs: { ...geometry, ...attrs, window: [w[2], w[3]], activations, act: act.length > 0 },
  };
}

const layouts: readonly Case[] = [
  { name: "one pixel", format: "int8", x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { name: "same size", format: "int8", x: [3, 3, 7, 9], w: [17, 3, 3, 3], geometry: { padding: [1, 1, 1, 1] } },
  { name: "many pixels", format: "int8", x: [2, 5, 19, 17], w: [33, 5, 3, 3], scale: "bf16" },
  {
    name: "stride, uneven padding, dilation",
    format: "uint8",
    x: [2, 3, 11, 12],
    w: [5, 3, 2, 3],
    geometry: { stride: [2, 1], padding: [2, 0, 1, 3], dilation: [1, 2] },
  },
  { name: "groups", format: "int4", x: [2, 6, 6, 6], w: [22, 3, 3, 3], geometry: { groups: 2 } },
  {
    name: "depthwise",
    format: "int8",
    x: [2, 5, 7, 9],
    w: [5, 1, 3, 3],
    geometry: { groups: 5, padding: [1, 1, 1, 1] },
  },
  { name: "scales by group", format: "int4", x: [1, 4, 6, 5], w: [9, 4, 3, 3], group: 16, scale: "bf16" },
  { name: "deep", format: "int8", x: [1, 70, 5, 5], w: [16, 70, 3, 3] },
  {
    name: "deep, many pixels, padded",
    format: "int8",
    x: [2, 60, 13, 11],
    w: [35, 60, 3, 3],
    geometry: { padding: [1, 1, 1, 1] },
  },
  {
    name: "deep, groups, stride",
    format: "uint8",
    x: [2, 66, 9, 8],
    w: [6, 33, 3, 3],
    geometry: { groups: 2, stride: [1, 2] },
  },
  { name: "1 × 1, sparse", format: "int8", x: [2, 20, 4, 5], w: [18, 20, 1, 1], sparse: true },
  { name: "an empty batch", format: "int8", x: [0, 2, 4, 4], w: [3, 2, 3, 3] },
];

const spec: OpSpec = {
  kind: "operation",
  samples: () => [
    ...layouts.flatMap((layout) => (["float", "dynamic", "static"] as const).map((kind) => sample(layout, kind))),
    ...(Object.keys(kinds) as Format[]).map((format) =>
      sample(
        { name: "format", format, x: [2, 4, 6, 7], w: [19, 4, 3, 3], geometry: { padding: [1, 0, 0, 1] } },
        "dynamic",
      ),
    ),
    sample(
      {
        name: "an image with NaN, one with infinity, one of zeros, one plain",
        format: "int8",
        x: [4, 1, 3, 3],
        w: [2, 1, 2, 2],
        values: value(
          "f32",
          [4, 1, 3, 3],
          [
            NaN,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            1,
            2,
            Infinity,
            4,
            5,
            6,
            7,
            8,
            9,
            ...new Array<number>(9).fill(0),
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
          ],
        ),
      },
      "dynamic",
    ),
  ],
  reference: (inputs, attrs) => [reference(inputs, attrs)],
  tolerance: "dot",
  terms: (inputs, attrs) => [reference(inputs, attrs, (numbers) => numbers.map(Math.abs))],
  errors: [
    {
      inputs: [typed("f32", 1, 3, 8, 8), typed("u8", 4, 27), typed("f32", 4, 1)],
      attrs: { format: "int8", inner: 27, group: 27, window: [3, 2] },
      code: "ERR_ATHANOR_SHAPE",
      message: "quantized_conv2d: a weight for 3 channels and this window has 18 columns, got 27",
    },
    {
      inputs: [typed("f32", 3, 8, 8), typed("u8", 4, 27), typed("f32", 4, 1)],
      attrs: { format: "int8", inner: 27, group: 27, window: [3, 3] },
      code: "ERR_ATHANOR_SHAPE",
      message: "quantized_conv2d: x must be f32 [N, C, H, W], got f32 [3, 8, 8]",
    },
    {
      inputs: [typed("f32", 1, 3, 2, 8), typed("u8", 4, 27), typed("f32", 4, 1)],
      attrs: { format: "int8", inner: 27, group: 27, window: [3, 3] },
      code: "ERR_ATHANOR_SHAPE",
      message:
        "quantized_conv2d: a window of 3 × 3 does not fit the padded image of 2 × 8; add padding or shrink the kernel",
    },
  ],
};

export const quantizedConvolutions = { quantized_conv2d: spec } as const;

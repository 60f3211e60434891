// Layers by what they compute: shapes, training against use, and the errors of what does not fit.
import { describe, expect, it } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../../lib/errors.js";
import * as nn from "../../../lib/nn/index.js";
import * as ops from "../../../lib/ops/index.js";
import { array, compile, type NdArray, type Tensor } from "../../../lib/tensor/index.js";

const wave = (shape: number[], scale = 1): NdArray =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(0.7 + 1.9 * i)),
    shape,
  );
const apply = (module: nn.ModuleLike, x: NdArray, training = false) =>
  compile((x: Tensor) => nn.call(module, x), { training }).run(x, { seed: 5 });
const close = (got: NdArray, want: ArrayLike<number>, digits = 5) => {
  expect(got.size).toBe(want.length);
  got.data.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, digits));
};

describe("linear", () => {
  it("takes any leading dimensions, none as well", async () => {
    const layer = nn.linear(3, 2);
    expect((await apply(layer, wave([4, 3]))).shape).toEqual([4, 2]);
    expect((await apply(layer, wave([2, 5, 3]))).shape).toEqual([2, 5, 2]);
    expect((await apply(layer, wave([3]))).shape).toEqual([2]);
    expect((await apply(layer, wave([0, 3]))).shape).toEqual([0, 2]);
  });

  it("is x wᵀ + b", async () => {
    const layer = nn.linear(2, 2);
    layer.weight.write(array([1, 2, 3, 4], [2, 2]));
    layer.bias!.write(array([10, 20]));
    expect((await apply(layer, array([1, 1], [1, 2]))).toArray()).toEqual([[13, 27]]);
  });

  it("says what it expected", async () => {
    await expect(apply(nn.linear(6, 2), wave([2, 2, 3]))).rejects.toThrow(
      "linear: input has 3 features in its last dimension, expected 6; put nn.flatten() before it ([2, 2, 3])",
    );
    await expect(apply(nn.linear(2, 2), array(Int32Array.of(1, 2), [1, 2]))).rejects.toThrow(
      'linear: takes f32, got i32; cast("f32") it in a function of your own, or feed floats: array(Float32Array.from(values), shape)',
    );
    expect(() => nn.linear(0, 2)).toThrow("linear: inFeatures must be a whole number from 1 on, got 0");
    expect(() => nn.linear(2, 2, { biases: false } as never)).toThrow(
      'linear: unknown option "biases", did you mean "bias"?',
    );
  });
});

describe("layers of images", () => {
  it("shapes follow kernel, stride, padding, dilation and groups", async () => {
    const shapeOf = async (options: Parameters<typeof nn.conv2d>[2]) =>
      (await apply(nn.conv2d(4, 6, options), wave([2, 4, 9, 8]))).shape;
    expect(await shapeOf({ kernel: 3 })).toEqual([2, 6, 7, 6]);
    expect(await shapeOf({ kernel: 3, padding: "same", stride: 2 })).toEqual([2, 6, 5, 4]);
    expect(await shapeOf({ kernel: [1, 5], padding: [0, 2], groups: 2 })).toEqual([2, 6, 9, 8]);
    expect(await shapeOf({ kernel: 3, dilation: 2, padding: 2, bias: false })).toEqual([2, 6, 9, 8]);
    expect(nn.conv2d(4, 6, { kernel: 3, groups: 2 }).weight.shape).toEqual([6, 2, 3, 3]);
  });

  it("pool by kernel, or by all", async () => {
    expect((await apply(nn.maxPool2d(2), wave([1, 3, 8, 7]))).shape).toEqual([1, 3, 4, 3]);
    expect((await apply(nn.avgPool2d({ kernel: 3, stride: 2, padding: 1 }), wave([1, 3, 8, 7]))).shape).toEqual([
      1, 3, 4, 4,
    ]);
    const x = wave([2, 3, 4, 5]);
    const mean = (at: number) => [...x.data.slice(at * 20, at * 20 + 20)].reduce((sum, v) => sum + v, 0) / 20;
    close(await apply(nn.globalAvgPool2d(), x), [0, 1, 2, 3, 4, 5].map(mean));
  });

  it("say what they expected", async () => {
    const conv = nn.conv2d(3, 4, { kernel: 3 });
    await expect(apply(conv, wave([2, 1, 8, 8]))).rejects.toThrow(
      "conv2d: input [2, 1, 8, 8] has 1 channels, expected 3",
    );
    await expect(apply(conv, wave([3, 8, 8]))).rejects.toThrow(
      "conv2d: takes images [N, C, H, W], got [3, 8, 8]; reshape to [3, 1, 8, 8] for 3 gray images, to [1, 3, 8, 8] for one image of 3 channels",
    );
    await expect(apply(conv, wave([1, 3, 2, 2]))).rejects.toThrow(/a window of 3 × 3 does not fit/);
    await expect(apply(nn.maxPool2d(2), array(new Uint8Array(16), [1, 1, 4, 4]))).rejects.toThrow(DTypeError);
    expect(() => nn.conv2d(4, 6, { kernel: 3, groups: 4 })).toThrow(
      "conv2d: groups must divide the channels, got 4 groups for 4 input and 6 output channels",
    );
    expect(() => nn.conv2d(1, 1, {} as never)).toThrow(
      "conv2d: kernel is missing, got an empty object; write nn.conv2d(inChannels, outChannels, { kernel: 3 })",
    );
    expect(() => nn.conv2d(1, 1, { kernel: 3, paddings: 1 } as never)).toThrow('did you mean "padding"?');
  });
});

describe("normalisation", () => {
  it("layer norm spans the last dimensions of its shape", async () => {
    const layer = nn.layerNorm([3, 4]);
    expect(layer.weight.shape).toEqual([3, 4]);
    const x = wave([2, 3, 4], 3);
    const y = await apply(layer, x);
    for (const half of [0, 1]) {
      const row = [...x.data.slice(half * 12, half * 12 + 12)];
      const mean = row.reduce((sum, v) => sum + v, 0) / 12;
      const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 12;
      const want = row.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
      y.data.slice(half * 12, half * 12 + 12).forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 5));
    }
    await expect(apply(layer, wave([2, 4, 3]))).rejects.toThrow(
      "layerNorm: the last dimensions of the input [2, 4, 3] must be [3, 4]",
    );
    await expect(apply(nn.rmsNorm(4), wave([2, 3]))).rejects.toThrow(
      "rmsNorm: input has 3 features in its last dimension, expected 4",
    );
  });

  it("batch norm follows the data while trained and stands still in use", async () => {
    const layer = nn.batchNorm(2, { momentum: 0.25 });
    const x = array([1, 10, 3, 30, 5, 20, 7, 40], [4, 2]);
    const used = await apply(layer, x);
    close(
      used,
      [...x.data].map((v) => v / Math.sqrt(1 + 1e-5)),
      4,
    );
    expect([...layer.runningMean.readSync().data]).toEqual([0, 0]);
    const trained = await apply(layer, x, true);
    // Channel 0: mean 4, variance 5 over n and 20/3 over n − 1; channel 1: mean 25, 125 and 500/3.
    expect(trained.data[0]).toBeCloseTo(-3 / Math.sqrt(5 + 1e-5), 5);
    close(await layer.runningMean.read(), [1, 6.25]);
    close(await layer.runningVar.read(), [0.75 + 0.25 * (20 / 3), 0.75 + 0.25 * (500 / 3)]);
    await apply(layer, x, true);
    close(await layer.runningMean.read(), [1.75, 10.9375]);
    const after = await apply(layer, x);
    close(await layer.runningMean.read(), [1.75, 10.9375]);
    const variance = 0.75 * (0.75 + 0.25 * (20 / 3)) + 0.25 * (20 / 3);
    expect(after.data[0]).toBeCloseTo((1 - 1.75) / Math.sqrt(variance + 1e-5), 5);
  });

  it("batch norm in use is part of the convolution before it", () => {
    const model = nn.sequential(nn.conv2d(2, 4, { kernel: 3 }), nn.batchNorm(4), nn.relu());
    const steps = compile((x: Tensor) => model.forward(x))
      .program(wave([1, 2, 8, 8]))
      .report().steps;
    expect(steps.map(({ op }) => op).filter((op) => op !== "fused")).toEqual(["conv2d"]);
    expect(steps.at(-1)!.detail).toContain("add+mul+add+relu");
  });

  it("batch norm refuses what has no variance", async () => {
    await expect(apply(nn.batchNorm(3), wave([1, 3]), true)).rejects.toThrow(
      "batchNorm: one value a channel has no variance to train with, got [1, 3]; use a larger batch",
    );
    await expect(apply(nn.batchNorm(3), wave([4, 2]))).rejects.toThrow(
      "batchNorm: expected [N, 3] or [N, 3, …], got [4, 2]",
    );
    expect(() => nn.batchNorm(3, { momentum: 2 })).toThrow("batchNorm: momentum must be from 0 to 1, got 2");
  });
});

describe("dropout, flatten, softmax, embedding", () => {
  it("drops only while trained", async () => {
    const x = array(new Float32Array(1000).fill(1), [1000]);
    expect((await apply(nn.dropout(0.5), x)).data).toEqual(x.data);
    expect(new Set((await apply(nn.dropout(0.5), x, true)).data)).toEqual(new Set([0, 2]));
    expect(() => nn.dropout(1.2)).toThrow("dropout: p must be from 0 to 1, got 1.2; write nn.dropout(0.5)");
  });

  it("two dropouts of one model draw apart", async () => {
    const x = array(new Float32Array(200).fill(1), [200]);
    const f = compile((x: Tensor) => ({ a: ops.dropout(x, 0.5), b: ops.dropout(x, 0.5) }), { training: true });
    const { a, b } = await f.run(x);
    expect(a.data).not.toEqual(b.data);
  });

  it("flattens samples", async () => {
    expect((await apply(nn.flatten(), wave([2, 3, 4]))).shape).toEqual([2, 12]);
    expect((await apply(nn.flatten(2), wave([2, 3, 4, 5]))).shape).toEqual([2, 3, 20]);
    await expect(apply(nn.flatten(3), wave([2]))).rejects.toThrow("flatten: there is no dimension 3 in [2]");
  });

  it("rows of softmax are probabilities", async () => {
    const y = await apply(nn.softmax(0), wave([3, 2], 40));
    for (const c of [0, 1]) expect(y.data[c]! + y.data[c + 2]! + y.data[c + 4]!).toBeCloseTo(1, 6);
  });

  it("embedding explains where its numbers went", async () => {
    const layer = nn.embedding(5, 2);
    const tokens = array(Uint8Array.of(1, 4), [1, 2]);
    expect((await apply(layer, tokens)).shape).toEqual([1, 2, 2]);
    await expect(apply((x) => nn.feed(layer, x), tokens)).rejects.toThrow(
      "embedding: takes row numbers in i32, got f32; feed an Int32Array (bytes go into a model as f32 numbers)",
    );
  });

  it("bytes are the numbers they are, unless a rule says otherwise; everything else is itself", async () => {
    const plain = nn.sequential(nn.flatten());
    const bytes = array(Uint8Array.of(0, 51, 255), [1, 3]);
    expect((await apply((x) => nn.feed(plain, x), bytes)).data).toEqual(Float32Array.of(0, 51, 255));
    expect((await apply((x) => nn.feed(plain, x), array(Int32Array.of(300), [1, 1]))).dtype).toBe("i32");
    plain.setInfo({ preprocessing: { kind: "normalize", divide: 255, mean: [0.5, 0, 0], deviation: [1, 2, 1] } });
    expect([...(await apply((x) => nn.feed(plain, x), bytes)).data]).toEqual([-0.5, 0.1, 1].map(Math.fround));
    const rule = { kind: "normalize", layout: "NHWC", mean: [1, 2], deviation: [10, 100] } as const;
    const images = nn.sequential(nn.flatten()).setInfo({ preprocessing: rule });
    const photo = array(Uint8Array.of(1, 2, 11, 102), [1, 1, 2, 2]); // (N, H, W, C)
    expect([...(await apply((x) => nn.feed(images, x), photo)).data]).toEqual([0, 1, 0, 1]);
  });
});

describe("activations", () => {
  const x = [-3, -1, -0.5, 0, 0.25, 2];
  const cases: [string, nn.Module, (x: number) => number][] = [
    ["relu", nn.relu(), (v) => Math.max(0, v)],
    ["silu", nn.silu(), (v) => v / (1 + Math.exp(-v))],
    ["tanh", nn.tanh(), Math.tanh],
    ["sigmoid", nn.sigmoid(), (v) => 1 / (1 + Math.exp(-v))],
    ["softplus", nn.softplus(), (v) => Math.log1p(Math.exp(v))],
    ["leakyRelu", nn.leakyRelu(0.2), (v) => (v > 0 ? v : 0.2 * v)],
    ["elu", nn.elu(2), (v) => (v > 0 ? v : 2 * Math.expm1(v))],
    ["gelu", nn.gelu("tanh"), (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))],
  ];
  it.each(cases)("%s", async (_, layer, f) => close(await apply(layer, array(x)), x.map(f), 6));

  it("are named and checked", () => {
    expect(nn.gelu().kind).toBe("gelu");
    expect(String(nn.leakyRelu(0.2))).toBe("leakyRelu(0.2)");
    expect(() => nn.elu(NaN)).toThrow(ArgumentError);
    expect(() => nn.gelu("fast" as never)).toThrow('gelu: form must be one of "erf", "tanh", got "fast"');
  });
});

describe("attention", () => {
  it("rotary positions make scores depend on distances alone", async () => {
    const layer = nn.attention({ dim: 8, heads: 2, rotary: true });
    const x = wave([1, 4, 8]);
    expect((await apply(layer, x)).shape).toEqual([1, 4, 8]);
    // One token repeated: with positions that only matter by distance all values are equal, so every position gives the same.
    const token = wave([1, 1, 8]).data as Float32Array;
    const repeated = array(
      Float32Array.from({ length: 32 }, (_, i) => token[i % 8]!),
      [1, 4, 8],
    );
    const y = await apply(layer, repeated);
    y.data.forEach((v, i) => expect(v).toBeCloseTo(y.data[i % 8]!, 5));
  });

  it("rotary positions turn pairs by t / base^(2 i / D), as in the paper", async () => {
    const layer = nn.attention({ dim: 4, heads: 1, rotary: 100, bias: false });
    // Identity projections; the scores of the last query over two keys give the weights that mix the values.
    const eye = Array.from({ length: 48 }, (_, i) => Number(Math.floor(i / 4) % 4 === i % 4));
    layer.qkv.weight.write(array(eye, [12, 4]));
    layer.out.weight.write(array(eye.slice(0, 16), [4, 4]));
    const x = [[0.3, -1, 0.8, 0.5], [1.2, 0.4, -0.6, 0.9]]; // prettier-ignore
    const turn = (v: number[], t: number) => {
      const [a, b] = [t, t / 10]; // 100^0 and 100^(1/2)
      return [
        v[0]! * Math.cos(a) - v[2]! * Math.sin(a),
        v[1]! * Math.cos(b) - v[3]! * Math.sin(b),
        v[2]! * Math.cos(a) + v[0]! * Math.sin(a),
        v[3]! * Math.cos(b) + v[1]! * Math.sin(b),
      ];
    };
    const dot = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0) / 2; // √4
    const weights = [0, 1].map((t) => Math.exp(dot(turn(x[1]!, 1), turn(x[t]!, t))));
    const total = weights[0]! + weights[1]!;
    const want = [0, 1, 2, 3].map((c) => (weights[0]! * x[0]![c]! + weights[1]! * x[1]![c]!) / total);
    const y = await apply(layer, array(x.flat(), [1, 2, 4]));
    y.data.slice(4).forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 5));
  });

  it("a mask that hides the future is the causal flag", async () => {
    const causal = nn.attention({ dim: 8, heads: 4, kvHeads: 2, causal: true });
    const open = nn.attention({ dim: 8, heads: 4, kvHeads: 2 });
    open.parameters().forEach((p, i) => p.write(causal.parameters()[i]!.readSync()));
    const below = array(
      Array.from({ length: 25 }, (_, i) => i % 5 <= Math.floor(i / 5)),
      [5, 5],
    );
    const masked = compile((x: Tensor, mask: Tensor) => open.forward(x, mask));
    const x = wave([2, 5, 8]);
    close(await masked.run(x, below), (await apply(causal, x)).data);
  });

  it("checks heads", () => {
    expect(() => nn.attention({ dim: 10, heads: 4 })).toThrow("attention: heads must divide dim, got 4 heads for 10");
    expect(() => nn.attention({ dim: 12, heads: 4, kvHeads: 3 })).toThrow(
      "attention: kvHeads must divide heads, got 3 key heads for 4 heads",
    );
    expect(() => nn.attention({ dim: 12, heads: 4, rotary: true })).toThrow("rotary positions turn pairs");
    expect(() => nn.attention({ dim: 4, heads: 1, dropuot: 0 } as never)).toThrow('did you mean "dropout"?');
  });

  it("blocks keep the shape, with the norms before or after", async () => {
    const options = { dim: 8, heads: 2, hidden: 12, causal: true, dropout: 0.1 } as const;
    for (const norm of ["pre", "post"] as const)
      for (const normKind of ["layer", "rms"] as const) {
        const block = nn.transformerBlock({ ...options, norm, normKind, activation: "silu" });
        expect((await apply(block, wave([2, 3, 8]), true)).shape).toEqual([2, 3, 8]);
        expect(block.up.weight.shape).toEqual([12, 8]);
      }
    expect(() => nn.transformerBlock({ ...options, activation: "swish" as never })).toThrow(
      'transformerBlock: activation must be one of "relu", "gelu"',
    );
    await expect(apply(nn.transformerBlock(options), wave([2, 8]))).rejects.toThrow(ShapeError);
  });
});

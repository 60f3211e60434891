// Summaries and printed values: counts by hand, and what a reader of a terminal sees.
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { array, compile, nn, Parameter, prune, quantize, train, type Tensor } from "../../../lib/index.js";

const image = { dtype: "f32", shape: [1, 28, 28] } as const;

describe("model.summary", () => {
  const model = nn.sequential(
    nn.conv2d(1, 8, { kernel: 3 }),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(8 * 13 * 13, 10),
  );

  it("counts parameters, shapes and FLOP of each layer", () => {
    const { layers, ...all } = model.summary({ input: image, batch: 4 });
    expect(layers.map(({ name, shape }) => [name, shape])).toEqual([
      ["0", [4, 8, 26, 26]],
      ["1", [4, 8, 26, 26]],
      ["2", [4, 8, 13, 13]],
      ["3", [4, 8 * 13 * 13]],
      ["4", [4, 10]],
    ]);
    expect(layers.map(({ parameters }) => parameters)).toEqual([80, 0, 0, 0, 13_530]);
    // A product: two for each weight and place; then the bias.
    expect(layers[0]!.flops).toBe(4 * 26 * 26 * 8 * (2 * 9 + 1));
    expect(layers[4]!.flops).toBe(4 * 10 * (2 * 8 * 13 * 13 + 1));
    expect(layers[2]!.flops).toBe(4 * 8 * 13 * 13 * 4);
    expect(all).toMatchObject({ parameters: 13_610, trainable: 13_610, masked: 0, weightBytes: 4 * 13_610, batch: 4 });
    expect(all.runBytes).toBeGreaterThan(0);
    expect(all.flops).toBe(layers.reduce((sum, layer) => sum + layer.flops!, 0));
  });

  it("says what is done to its input before the first layer", () => {
    const net = nn.sequential(nn.linear(3, 2));
    expect(net.summary().preprocessing).toEqual({});
    const age = { name: "age", type: "number", missing: { rule: "median", fill: 41 }, indicator: true } as const;
    const scale = { rule: "standard", offset: 41, divisor: 7 } as const;
    const city = { name: "city", type: "category", categories: ["Lyon"], missing: "error", unknown: "error" } as const;
    net.setInfo({ preprocessing: { kind: "table", columns: [{ ...age, scale }, city] } });
    expect(String(net.summary()).split("\n")[0]).toBe(
      "preprocessing of x: rows become 3 features: age (missing: median, standard), city (one-hot of 1)",
    );
    net.setInfo({ preprocessing: { kind: "normalize", divide: 255 } });
    expect(net.summary().preprocessing).toEqual({ x: "/ 255" });
  });

  it("goes by what the model was run with, and else says what it needs", async () => {
    const net = nn.sequential(nn.linear(4, 2));
    expect(net.summary().layers[0]).toMatchObject({ name: "0", parameters: 10, shape: undefined, flops: undefined });
    expect(String(net.summary())).toContain('summary({ input: { dtype: "f32", shape: [784] } })');
    await train.predict(net, array(new Float32Array(8), [2, 4]));
    expect(net.summary().layers[0]!.shape).toEqual([1, 2]);
    expect(() => net.summary({ batch: 0 })).toThrow("model.summary: batch must be a whole number from 1 on, got 0");
  });

  it("takes modules of the user, parts within parts, functions and what is frozen or shared", () => {
    class Scaled extends nn.Module {
      inner = nn.linear(4, 4);
      scale = new Parameter([4], { fill: nn.init.ones() });
      forward(x: Tensor): Tensor {
        return this.inner.forward(x).mul(this.scale);
      }
    }
    const net = nn.sequential(nn.residual(nn.linear(4, 4), nn.relu()), new Scaled(), (x) => x.mul(2), nn.batchNorm(4));
    net.freeze(/^0/);
    const { layers, parameters, trainable } = net.summary({ input: { dtype: "f32", shape: [4] } });
    const row = (name: string) => layers.find((layer) => layer.name === name);
    expect(row("0.inner.0")).toMatchObject({ parameters: 20, trainable: 0, flops: 4 * 9 });
    expect(row("1")).toMatchObject({ parameters: 4, trainable: 4, flops: 4 });
    expect(row("1.inner")).toMatchObject({ parameters: 20, trainable: 20 });
    expect(row("2")).toMatchObject({ layer: "function", parameters: 0, flops: 4 });
    expect(row("3")).toMatchObject({ parameters: 16, trainable: 8 });
    expect([parameters, trainable]).toEqual([60, 32]);
    expect(layers.map(({ name }) => name).indexOf("2")).toBeLessThan(layers.map(({ name }) => name).indexOf("3"));
    const shared = nn.linear(4, 4);
    expect(nn.sequential(shared, nn.relu(), shared).summary().parameters).toBe(20);
  });

  it("shows masks and packed forms", async () => {
    const net = nn.sequential(nn.linear(64, 32), nn.relu(), nn.linear(32, 8));
    const input = { dtype: "f32", shape: [64] } as const;
    const pruned = await prune(net, { amount: 0.5, scope: "layer" });
    expect(pruned.summary({ input }).masked).toBe((64 * 32 + 32 * 8) / 2);
    expect(String(pruned.summary({ input }))).toContain("48 % masked"); // of 2,080 with the bias
    const packed = await quantize(net, quantize.int8());
    const { layers, weightBytes, parameters } = packed.summary({ input });
    expect(parameters).toBe(net.summary().parameters);
    expect(layers[0]).toMatchObject({ parametrization: "int8", flops: 32 * (2 * 64 + 1) });
    expect(weightBytes).toBeLessThan(0.5 * net.summary().weightBytes);
  });

  it("is a table on the console", () => {
    const lines = inspect(model.summary({ input: image })).split("\n");
    expect(lines[0]).toMatch(/^name +layer +output +parameters +FLOP$/);
    expect(lines[2]).toMatch(/^0 +conv2d\(1 → 8, 3 × 3\) +\[1, 8, 26, 26\] +80 +103 k$/);
    expect(lines.at(-2)).toBe("13,610 parameters, 13,610 trainable; 54.4 kB of weights");
  });
});

describe("console.log", () => {
  it("prints arrays whole with aligned columns, as NumPy", () => {
    expect(inspect(array([1, 2.5, -3, 4], [2, 2]))).toBe("NdArray f32 [2, 2]\n[[ 1.0,  2.5],\n [-3.0,  4.0]]");
    expect(inspect(array([1, 2, 30, 4], [2, 2]))).toBe("NdArray f32 [2, 2]\n[[ 1,  2],\n [30,  4]]");
    expect(inspect(array(7))).toBe("NdArray f32 []\n7");
    expect(inspect(array([], [0]))).toBe("NdArray f32 [0]\n[]");
    expect(inspect(array([true, false]))).toBe("NdArray bool [2]\n[ true, false]");
    expect(inspect(array([1e-9, 1]))).toBe("NdArray f32 [2]\n[1.0000e-9, 1.0000e+0]");
    expect(inspect(array([NaN, Infinity, 0.5]))).toBe("NdArray f32 [3]\n[     NaN, Infinity,      0.5]");
    expect(inspect(array(new Float32Array(8), [2, 2, 2]))).toBe(
      "NdArray f32 [2, 2, 2]\n[[[0, 0],\n  [0, 0]],\n\n [[0, 0],\n  [0, 0]]]",
    );
  });

  it("shows the ends of what is long", () => {
    const long = array(Int32Array.from({ length: 2000 }, (_, i) => i));
    expect(inspect(long)).toBe("NdArray i32 [2000]\n[   0,    1,    2, …, 1997, 1998, 1999]");
    const images = inspect(array(new Uint8Array(60_000 * 784), [60_000, 1, 28, 28]));
    expect(images.length).toBeLessThan(2500);
    expect(images).toContain("NdArray u8 [60000, 1, 28, 28]");
  });

  it("says so where the memory is gone", () => {
    const values = new Float32Array(4);
    const held = array(values);
    structuredClone(values, { transfer: [values.buffer] });
    expect(inspect(held)).toBe("NdArray f32 [4] (its memory was transferred away)");
  });

  it("shows parameters with their state, tensors by type, and models as a tree", () => {
    const model = nn.sequential(nn.linear(2, 1), nn.relu()).assignNames();
    const [weight] = model.parameters();
    weight!.write(array([0.5, -1], [1, 2]));
    weight!.trainable = false;
    expect(inspect(weight)).toBe('Parameter "0.weight" f32 [1, 2], frozen\n[[ 0.5, -1.0]]');
    weight!.dispose();
    expect(inspect(weight)).toBe('Parameter "0.weight" f32 [1, 2], disposed');
    let seen = "";
    compile((x: Tensor) => ((seen = inspect(x)), x)).runSync(array([1, 2]));
    expect(seen).toBe("Tensor f32 [2], a value of the function being traced");
    const nested = nn.sequential(nn.linear(2, 2), nn.residual(nn.linear(2, 2)));
    expect(inspect(nested)).toBe(
      ["sequential(", "  0: linear(2 → 2)", "  1: residual(", "    inner: linear(2 → 2)", "  )", ")"].join("\n"),
    );
  });
});

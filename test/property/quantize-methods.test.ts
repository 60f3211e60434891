// No method is worse than rounding to nearest: over random layers with channels that are zero, constant, twins, outliers or never
// seen, and over few samples. Errors are taken against float64 on the calibration samples; where nothing is known, weights are
// those of rounding to nearest.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { array, compile, nn, quantize, type NdArray, type Scheme, type Tensor } from "../../lib/index.js";
import type { Method } from "../../lib/quantize/methods.js";
import { random } from "../ops/value.js";

const kinds = ["plain", "zero weights", "zero inputs", "constant inputs", "twin", "outlier"] as const;
type Kind = (typeof kinds)[number];

interface Layer {
  readonly seed: number;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly channels: readonly Kind[];
  readonly silent: boolean;
}

const layers = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  rows: fc.constantFrom(1, 2, 7, 64),
  inputs: fc.integer({ min: 8, max: 72 }),
  outputs: fc.integer({ min: 2, max: 24 }),
  channels: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 12 }),
  silent: fc.constantFrom(false, false, false, true),
});

interface Drawn {
  readonly layer: nn.Linear;
  readonly samples: NdArray;
  readonly fresh: NdArray;
  readonly w: Float32Array;
}

function drawn({ seed, rows, inputs: K, outputs: N, channels, silent }: Layer): Drawn {
  const draw = random(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  const kindOf = (k: number): Kind => channels[k % channels.length]!;
  const layer = nn.linear(K, N);
  const w = Float32Array.from({ length: N * K }, (_, i) => (kindOf(i % K) === "zero weights" ? 0 : 0.3 * normal()));
  const inputs = (count: number, dark: boolean) => {
    const x = new Float32Array(count * K);
    for (let n = 0; n < count && !silent; ++n) {
      const common = normal();
      for (let k = 0; k < K; ++k) {
        const kind = kindOf(k);
        const free = 0.5 * common + normal();
        x[n * K + k] =
          kind === "zero inputs" && dark ? 0 : kind === "constant inputs" ? 0.7 : kind === "outlier" ? 40 * free : free;
        if (kind === "zero weights") x[n * K + k] = 50 * free;
        if (kind === "twin" && k > 0) x[n * K + k] = x[n * K + k - 1]!;
      }
    }
    return array(x, [count, K]);
  };
  layer.weight.write(array(w, [N, K]));
  layer.bias!.write(array(new Float32Array(N), [N]));
  return { layer, samples: inputs(rows, true), fresh: inputs(200, true), w };
}

/** Σ (y − y₆₄)² over samples, and Σ y₆₄². */
async function errorOf(model: nn.Linear, { w }: Drawn, x: NdArray): Promise<[number, number]> {
  const y = (await compile((t: Tensor) => model.forward(t)).run(x)).data;
  const [rows, K] = x.shape as [number, number];
  const N = y.length / rows;
  let [error, size] = [0, 0];
  for (let m = 0; m < rows; ++m) {
    for (let n = 0; n < N; ++n) {
      let want = 0;
      for (let k = 0; k < K; ++k) want += x.data[m * K + k]! * w[n * K + k]!;
      error += (y[m * N + n]! - want) ** 2;
      size += want * want;
    }
  }
  return [error, size];
}

const schemes: Record<string, Scheme> = {
  int8: quantize.int8(),
  "int8 dynamic": quantize.int8({ activations: "dynamic" }),
  "int8 static": quantize.int8({ activations: "static" }),
  int4: quantize.int4(),
  "int3 per channel": quantize.intN(3),
  nf4: quantize.nf4({ group: 32 }),
  "kmeans 8": quantize.kmeans({ entries: 8 }),
};
const methods: Record<string, readonly Method[]> = {
  smoothQuant: [quantize.smoothQuant()],
  "smoothQuant, alpha 1": [quantize.smoothQuant({ alpha: 1 })],
  awq: [quantize.awq({ grid: 6 })],
  gptq: [quantize.gptq()],
  biasCorrection: [quantize.biasCorrection()],
  "awq, gptq, biasCorrection": [quantize.awq({ grid: 6 }), quantize.gptq(), quantize.biasCorrection()],
  "smoothQuant, gptq": [quantize.smoothQuant(), quantize.gptq()],
};

const runs = Number(process.env.ATHANOR_PROPERTY_RUNS ?? 12);
// What f32 rounds away of a result, squared and relative to it.
const noise = 1e-11;

describe("on the calibration samples no method is worse than rounding to nearest", () => {
  for (const [name, method] of Object.entries(methods)) {
    for (const [format, scheme] of Object.entries(schemes)) {
      it(`${name}, ${format}`, async () => {
        await fc.assert(
          fc.asyncProperty(layers, async (drawing) => {
            const given = drawn(drawing);
            const calibrate = given.samples;
            const plain = await quantize(given.layer, scheme, { integers: "all", calibrate });
            const tuned = await quantize(given.layer, scheme, { integers: "all", calibrate, method });
            const [nearest, size] = await errorOf(plain, given, calibrate);
            const [error] = await errorOf(tuned, given, calibrate);
            expect(error).toBeLessThanOrEqual(1.001 * nearest + noise * size);
          }),
          { numRuns: runs, seed: 7 },
        );
      });
    }
  }
});

describe("on other samples of the same kind no method is much worse", () => {
  // A method that helps on few samples may lose a little on others; what it may not do is to ruin a layer. Static ranges of few
  // samples clip others as luck has it, with or without a method: they are left out.
  const others = Object.values(schemes).filter(({ activations }) => activations !== "static");
  for (const [name, method] of Object.entries(methods)) {
    it(name, async () => {
      await fc.assert(
        fc.asyncProperty(layers, fc.constantFrom(...others), async (drawing, scheme) => {
          const given = drawn({ ...drawing, silent: false });
          const calibrate = given.samples;
          const plain = await quantize(given.layer, scheme, { integers: "all", calibrate });
          const tuned = await quantize(given.layer, scheme, { integers: "all", calibrate, method });
          const [nearest, size] = await errorOf(plain, given, given.fresh);
          const [error] = await errorOf(tuned, given, given.fresh);
          expect(error).toBeLessThanOrEqual(1.5 * nearest + noise * size);
        }),
        { numRuns: 4 * runs, seed: 11 },
      );
    });
  }
});

describe("weights of inputs that were never seen", () => {
  it("are no further from the float weights than by rounding to nearest, with any method", async () => {
    await fc.assert(
      fc.asyncProperty(layers, fc.constantFrom(...Object.values(methods)), async (drawing, method) => {
        const given = drawn({ ...drawing, rows: 64, channels: [...drawing.channels, "zero inputs"], silent: false });
        const calibrate = given.samples;
        for (const scheme of [quantize.int4({ group: 16 }), quantize.intN(3)]) {
          const plain = (await (await quantize(given.layer, scheme, { integers: "all" })).weight.read()).data;
          const tuned = (
            await (await quantize(given.layer, scheme, { integers: "all", calibrate, method })).weight.read()
          ).data;
          const K = drawing.inputs;
          const unseen = (values: ArrayLike<number>) =>
            given.w.reduce((sum, w, i) => sum + (calibrate.data[i % K] === 0 ? (values[i]! - w) ** 2 : 0), 0);
          // Scales move the grid under these weights: not each error, but their sum stays.
          expect(unseen(tuned)).toBeLessThanOrEqual(1.25 * unseen(plain) + 1e-9);
        }
      }),
      { numRuns: 3 * runs, seed: 13 },
    );
  });

  it("samples that are all 0 leave every method at rounding to nearest, and the report says so", async () => {
    const given = drawn({ seed: 5, rows: 16, inputs: 32, outputs: 8, channels: ["plain"], silent: true });
    for (const scheme of Object.values(schemes)) {
      const plain = await quantize(given.layer, scheme, { integers: "all", calibrate: given.samples });
      for (const method of Object.values(methods)) {
        const tuned = await quantize(given.layer, scheme, { integers: "all", calibrate: given.samples, method });
        expect((await tuned.weight.read()).data).toEqual((await plain.weight.read()).data);
        const [layer] = quantize.report(tuned)!.layers;
        expect(layer!.methods).toEqual([]);
        expect(layer!.notes.length).toBeGreaterThan(0);
      }
    }
  });
});

describe("observers", () => {
  const values: Record<string, (i: number) => number> = {
    zeros: () => 0,
    "a constant": () => 0.3,
    "a negative constant": () => -2,
    "zeros and one spike": (i) => (i === 100 ? 5 : 0),
    tiny: (i) => 1e-35 * Math.sin(i),
  };
  const observers = [quantize.minMax(), quantize.movingAverage(), quantize.percentile(), quantize.entropy(), quantize.mse()]; // prettier-ignore

  for (const [name, value] of Object.entries(values)) {
    it(`${name}: later inputs of ordinary size still come through`, async () => {
      const layer = nn.linear(8, 4, { bias: false });
      layer.weight.write(
        array(
          Float32Array.from({ length: 32 }, (_, i) => Math.cos(i)),
          [4, 8],
        ),
      );
      const calibrate = array(Float32Array.from({ length: 128 * 8 }, (_, i) => value(i)), [128, 8]); // prettier-ignore
      for (const observer of observers) {
        const small = await quantize(layer, quantize.int8({ activations: "static" }), {
          integers: "all",
          calibrate,
          observer,
        });
        const y = await compile((t: Tensor) => small.forward(t)).run(calibrate);
        const want = await compile((t: Tensor) => layer.forward(t)).run(calibrate);
        expect(y.data.every(Number.isFinite)).toBe(true);
        if (name.includes("constant")) {
          y.data.forEach((got, i) => expect(Math.abs(got - want.data[i]!)).toBeLessThan(0.05));
        }
        if (name !== "zeros") continue;
        const x = array(
          Float32Array.from({ length: 8 }, (_, i) => 0.1 * Math.sin(i + 1)),
          [1, 8],
        );
        const got = await compile((t: Tensor) => small.forward(t)).run(x);
        const exact = await compile((t: Tensor) => layer.forward(t)).run(x);
        got.data.forEach((each, i) => expect(Math.abs(each - exact.data[i]!)).toBeLessThan(0.005));
        expect(quantize.report(small)!.notes[0]).toMatch(/scaled row by row \(dynamic\)/);
      }
    });
  }
});

// Accuracy and size of the quantized digits models, mean of several seeds:
//   node scripts/run-ts.mjs bench/quantize.ts [--seeds 3] [--model mlp|cnn] [--json FILE]
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { artifact, data, isa, metrics, quantize, threads, train, type QuantizeOptions, type Scheme } from "athanor";
import { build, options, recipes } from "../examples/digits/recipes.js";

const { values: flags } = parseArgs({
  options: { seeds: { type: "string", default: "3" }, model: { type: "string" }, json: { type: "string" } },
});
const digits = await data.mnist();
const [training, validation] = [digits.train.slice(0, 55_000), digits.train.slice(55_000)];
const calibrate = training.take(1024);
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => i + 1);

const variants: readonly (readonly [name: string, scheme: Scheme, options: QuantizeOptions])[] = [
  ["int8", quantize.int8(), {}],
  ["int8 dynamic", quantize.int8({ activations: "dynamic" }), {}],
  ["int8 static", quantize.int8({ activations: "static" }), { calibrate }],
  ["int8 static, percentile", quantize.int8({ activations: "static" }), { calibrate, observer: quantize.percentile() }],
  ["int8 static, entropy", quantize.int8({ activations: "static" }), { calibrate, observer: quantize.entropy() }],
  ["int8 static, mse", quantize.int8({ activations: "static" }), { calibrate, observer: quantize.mse() }],
  ["int4 group 32", quantize.int4(), {}],
  ["int4 group 32, gptq", quantize.int4(), { calibrate, method: quantize.gptq() }],
  ["int4 group 32, awq", quantize.int4(), { calibrate, method: quantize.awq() }],
  ["int4 group 128", quantize.int4({ group: 128 }), {}],
  ["nf4 group 64", quantize.nf4(), {}],
  ["kmeans 16", quantize.kmeans(), {}],
  ["apot 4", quantize.apot(), {}],
  ["fp8 e4m3", quantize.fp8(), {}],
  ["int2 group 32, gptq", quantize.intN(2, { per: 32 }), { calibrate, method: quantize.gptq() }],
];

const folder = mkdtempSync(join(tmpdir(), "athanor-quantize-"));
const accuracyOf = async (model: Parameters<typeof train.evaluate>[0]) =>
  (await train.evaluate(model, digits.test, { metrics: { accuracy: metrics.accuracy() } })).accuracy * 100;

/** Bytes of the weights as saved. */
async function bytesOf(model: Parameters<typeof artifact.save>[0]): Promise<number> {
  const path = join(folder, "model");
  await artifact.save(model, path, { input: { dtype: "u8", shape: [1, 28, 28] } });
  return statSync(join(path, "weights.safetensors")).size;
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const rows: { model: string; name: string; points: number; accuracy: number; smaller: number; seconds: number }[] = [];
try {
  for (const recipe of recipes.filter(({ name }) => flags.model === undefined || name === flags.model)) {
    const results = new Map<string, { lost: number[]; accuracy: number[]; smaller: number[]; seconds: number[] }>();
    for (const seed of seeds) {
      const model = build(recipe, seed);
      await train.fit(model, training, options(recipe, { on: validation }, seed));
      const [dense, size] = [await accuracyOf(model), await bytesOf(model)];
      console.log(`${recipe.name} seed ${seed}: ${dense.toFixed(2)} %, ${size} bytes`);
      for (const [name, scheme, more] of variants) {
        const start = performance.now();
        const small = await quantize(model, scheme, { integers: "all", ...more });
        const seconds = (performance.now() - start) / 1000;
        const accuracy = await accuracyOf(small);
        const row = results.get(name) ?? { lost: [], accuracy: [], smaller: [], seconds: [] };
        row.lost.push(dense - accuracy);
        row.accuracy.push(accuracy);
        row.smaller.push(size / (await bytesOf(small)));
        row.seconds.push(seconds);
        results.set(name, row);
        small.dispose();
      }
      model.dispose();
    }
    for (const [name, { lost, accuracy, smaller, seconds }] of results) {
      rows.push({ model: recipe.name, name, points: mean(lost), accuracy: mean(accuracy), smaller: mean(smaller), seconds: mean(seconds) }); // prettier-ignore
      console.log(
        `${recipe.name}  ${name.padEnd(24)} ${mean(accuracy).toFixed(2)} %  ${mean(lost).toFixed(2)} points lost (${Math.max(...lost).toFixed(2)} at most)  ${mean(smaller).toFixed(2)} × smaller  ${mean(seconds).toFixed(2)} s`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${seeds.length} seeds, ${isa()}, ${threads()} threads`);
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(rows, undefined, 1)}\n`);

// The first steps of the digits recipes from the weights and batches that PyTorch took, as torch_digits.py --record writes them:
// losses that agree as closely as those of PyTorch's own two sets of kernels say that both take the same steps. Rounding grows from
// step to step, so the figures are the steps until losses are 1e-5 apart and the largest distance.
//   python bench/peers/torch_digits.py --record out/steps && node scripts/run-ts.mjs bench/digits-steps.ts out/steps
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { array, data, train } from "athanor";
import { build, options, recipes } from "../examples/digits/recipes.js";

const folder = process.argv[2]!;
const digits = await data.mnist();

for (const recipe of recipes) {
  const file = (ending: string) => join(folder, `${recipe.name}-${ending}`);
  if (!existsSync(file("losses.json"))) continue;
  const start = new Float32Array(wordsOf(file("start.f32")));
  const order = new Int32Array(wordsOf(file("order.i32")));
  const torch = JSON.parse(readFileSync(file("losses.json"), "utf8")) as Record<"onednn" | "plain", number[]>;
  const model = build(recipe, 1);
  let at = 0;
  for (const { parameter } of model.namedParameters()) {
    parameter.write(array(start.slice(at, (at += parameter.size)), parameter.shape));
  }
  const { loss, optimizer, batchSize } = options(recipe, { on: digits.test }, 1);
  const run = train.fit(model, digits.train.select(order), {
    loss,
    optimizer,
    batchSize,
    epochs: 1,
    shuffle: false,
    progress: false,
  });
  const losses: number[] = [];
  for await (const { loss } of run) losses.push(loss);
  model.dispose();
  console.log(
    `${recipe.name}: ${apart(losses, torch.onednn)}; PyTorch without oneDNN: ${apart(torch.plain, torch.onednn)}`,
  );
}

function wordsOf(file: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

function apart(losses: readonly number[], reference: readonly number[]): string {
  const distances = losses.map((loss, i) => Math.abs(loss - reference[i]!) / reference[i]!);
  const first = distances.findIndex((distance) => distance > 1e-5);
  return `${first < 0 ? losses.length : first} steps the same, at most ${Math.max(...distances).toExponential(1)} apart`;
}

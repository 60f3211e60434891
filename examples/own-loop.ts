// A loop of your own that survives: killed at any moment and begun again, it goes on from its last checkpoint and ends with the same
// weights. Five lines do it, numbered below.
//   node --import tsx examples/own-loop.ts [folder]
import { createHash } from "node:crypto";
import { array, loss, nn, optim, schedule, seed, train } from "athanor";

const total = 400;
seed(1);
const model = nn.sequential(nn.linear(2, 48), nn.gelu(), nn.dropout(0.1), nn.linear(48, 1));
const optimizer = optim.adamW({ lr: schedule.cosine({ peak: 5e-3, warmup: 0.1 }), clipNorm: 1 });
const step = train.step(model, optimizer, ({ x, y }) => loss.mse()(model.forward(x), y), { steps: total });

// A batch is a function of the number of its step: nothing but that number has to be kept of the data.
function batch(at: number) {
  const points = Array.from({ length: 64 }, (_, i) => [Math.sin(at * 64 + i), Math.cos(3.7 * (at * 64 + i))]);
  return { x: array(points.flat(), [64, 2]), y: array(points.map(([a, b]) => a! * b!), [64, 1]) }; // prettier-ignore
}

const saved = train.checkpoints(step, { dir: process.argv[2] ?? "out/own-loop", every: 20 }); // 1
const { steps, extra } = await saved.resume(); // 2: 0 and null, or where the last checkpoint was
const losses = (extra ?? []) as number[]; // 3: plain data of the loop's own
for (let at = steps; at < total; at++) {
  losses.push((await step.run(batch(at))).loss);
  await saved.offer(losses); // 4: writes a checkpoint when one is due
  if ((at + 1) % 50 === 0) console.log(`step ${at + 1}: loss ${losses.at(-1)!.toFixed(4)}`);
}
await saved.close(); // 5: what is being written is on the disk

export const [first, last] = [losses[0]!, losses.at(-1)!];
const weights = createHash("sha256");
for (const { parameter } of model.namedParameters()) weights.update((await parameter.read()).data as Float32Array);
console.log(`${losses.length} steps, weights ${weights.digest("hex").slice(0, 16)}`);
step.dispose();
model.dispose();

// A module and a loop of your own: a small causal transformer learns to continue a repeating melody.
//   node scripts/run-ts.mjs examples/own-module.ts
import { array, compile, loss, nn, ops, optim, schedule, seed, train, type Tensor } from "athanor";

const [batch, time, notes] = [16, 24, 12];

class Composer extends nn.Module {
  token = nn.embedding(notes, 32);
  position = nn.embedding(time, 32);
  blocks = [0, 1].map(() => nn.transformerBlock({ dim: 32, heads: 4, causal: true }));
  norm = nn.layerNorm(32);
  head = nn.linear(32, notes, { bias: false });

  forward(melody: Tensor): Tensor {
    const positions = this.position.forward(ops.arange(melody.shape[1]!)); // (T, C)
    const x = this.token.forward(melody).add(positions); // (B, T, C)
    return this.head.forward(this.norm.forward(this.blocks.reduce((y, block) => block.forward(y), x))); // (B, T, V)
  }
}

// Each row repeats a motif of its own length, so what comes next can be known from what was.
function melodies(from: number): { x: Int32Array; y: Int32Array } {
  const [x, y] = [new Int32Array(batch * time), new Int32Array(batch * time)];
  for (let row = 0; row < batch; row++) {
    const length = 2 + ((from + row) % 4);
    const note = (t: number) => ((t % length) * 5 + (from * 7 + row * 3)) % notes;
    for (let t = 0; t < time; t++) {
      x[row * time + t] = note(t);
      y[row * time + t] = note(t + 1);
    }
  }
  return { x, y };
}

seed(1);
const model = new Composer();
const optimizer = optim.adamW({ lr: schedule.warmup(3e-3, 20), clipNorm: 1 });
const step = train.step(model, optimizer, ({ x, y }) => loss.crossEntropy()(model.forward(x), y));

function* batches() {
  for (let i = 0; i < 200; i++) {
    const { x, y } = melodies(i);
    yield { x: array(x, [batch, time]), y: array(y, [batch, time]) };
  }
}

// A step ahead: the next batch is made while the engine works on this one.
const losses: number[] = [];
for await (const { loss: value } of step.over(batches())) {
  losses.push(value);
  if (losses.length % 40 === 0) console.log(`step ${losses.length}: loss ${value.toFixed(3)}`);
}

const next = compile((x: Tensor) => model.forward(x).argmax());
const { x, y } = melodies(1000);
const guesses = (await next.run(array(x, [batch, time]))).data;
const late = guesses.filter((_, i) => i % time >= 8);
export const first = losses[0]!;
export const last = losses.at(-1)!;
export const hits = late.filter((guess, i) => guess === y.filter((_, k) => k % time >= 8)[i]).length / late.length;
console.log(`next note right, once a motif was heard: ${(hits * 100).toFixed(1)} %`);
step.dispose();
model.dispose();

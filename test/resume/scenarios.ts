// Long because every run is a whole one, as a user would write it.
// Training runs that can be killed at any moment: each goes on from its last checkpoint and ends in the same bits as one that was
// left alone. Data are drawn here, so that every process sees the same.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import {
  array,
  data,
  distill,
  loss,
  metrics,
  nn,
  optim,
  prune,
  quantize,
  schedule,
  seed,
  train,
  type FitOptions,
  type Tensor,
} from "athanor";

/** Where a process keeps its checkpoints, and how it is meant to end. */
export interface Place {
  readonly dir: string;
  readonly every: number;
}

type Keep = Pick<FitOptions, "checkpoint" | "resume">;
const kept = ({ dir, every }: Place): Keep => ({
  checkpoint: { dir, every, keep: Number(process.env.KEEP ?? 2) },
  resume: "auto",
});

/** Whole numbers below 2³² from a counter: a test's data need no better ones. */
const draw = (i: number): number => {
  let x = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
};
const unit = (i: number): number => draw(i) / 2 ** 32 - 0.5;

function blobs(rows: number, shape: readonly number[], classes: number, from = 0): data.Dataset {
  const size = shape.reduce((a, b) => a * b, 1);
  const x = new Float32Array(rows * size);
  const y = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    y[row] = draw(from + row) % classes;
    for (let i = 0; i < size; i++)
      x[row * size + i] = unit(from + row * size + i + 7e6) + unit(y[row]! * size + i) * 0.8;
  }
  return data.fromArrays({ x: array(x, [rows, ...shape]), y: array(y) });
}

async function mlp(place: Place) {
  const model = nn.sequential(
    nn.linear(32, 128),
    nn.relu(),
    nn.dropout(0.3),
    nn.linear(128, 64),
    nn.gelu(),
    nn.linear(64, 5),
  );
  const result = await train.fit(model, blobs(1000, [32], 5), {
    loss: loss.crossEntropy(),
    optimizer: optim.adam({ lr: schedule.cosine({ peak: 2e-3, warmup: 0.1 }), clipNorm: 1 }),
    batchSize: 48,
    epochs: 16,
    seed: 3,
    validate: { on: blobs(300, [32], 5, 5000), every: 30, metrics: { accuracy: metrics.accuracy() } },
    earlyStopping: { monitor: "val.loss", patience: 40 },
    ...kept(place),
  });
  return { model, result };
}

// States of 8 and 4 bits and bf16, whose roundings are random.
async function coded(place: Place) {
  const model = nn.sequential(nn.linear(80, 96), nn.gelu(), nn.linear(96, 96), nn.gelu(), nn.linear(96, 5));
  const result = await train.fit(model, blobs(600, [80], 5), {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({
      lr: 1e-3,
      clipNorm: 1,
      states: "8bit",
      groups: [
        { match: "2", states: "4bit" },
        { match: "4", states: "bf16" },
      ],
    }),
    batchSize: 40,
    epochs: 12,
    seed: 6,
    ...kept(place),
  });
  return { model, result };
}

async function cnn(place: Place) {
  const model = nn.sequential(
    nn.conv2d(1, 8, { kernel: 3, padding: 1 }),
    nn.batchNorm(8),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(8 * 36, 4),
  );
  const result = await train.fit(model, blobs(500, [1, 12, 12], 4), {
    loss: loss.crossEntropy(),
    optimizer: optim.momentum({ lr: 0.02 }),
    batchSize: 32,
    epochs: 10,
    seed: 5,
    validate: { on: blobs(120, [1, 12, 12], 4, 9000), metrics: { accuracy: metrics.accuracy() } },
    ...kept(place),
  });
  return { model, result };
}

async function ema(place: Place) {
  const model = nn.sequential(nn.linear(24, 96), nn.relu(), nn.linear(96, 4));
  const result = await train.fit(model, blobs(800, [24], 4), {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({ lr: 1e-3, weightDecay: 0.01 }),
    batchSize: 32,
    epochs: 12,
    seed: 7,
    distill: distill.kd({ teacher: distill.ema({ decay: 0.98 }), temperature: 2, alpha: 0.4 }),
    ...kept(place),
  });
  return { model, result };
}

async function pruning(place: Place) {
  const start = nn.sequential(nn.linear(32, 96), nn.relu(), nn.linear(96, 4));
  const history: train.EpochRecord[] = [];
  const model = await prune(start, {
    amount: 0.8,
    criterion: prune.movement,
    schedule: prune.cubic({ steps: 200, start: 20, every: 10 }),
    during: {
      data: blobs(800, [32], 4),
      loss: loss.crossEntropy(),
      optimizer: optim.adam({ lr: 1e-3 }),
      batchSize: 32,
      epochs: 12,
      seed: 9,
      callbacks: { onEnd: (result) => void history.push(...result.history) },
      ...kept(place),
    },
  });
  return { model, result: { history, best: undefined } };
}

async function lottery(place: Place) {
  const start = nn.sequential(nn.linear(16, 48), nn.relu(), nn.linear(48, 3));
  const model = await prune(start, {
    amount: 0.7,
    schedule: prune.lottery({ rounds: 2, rewindTo: 15 }),
    during: {
      data: blobs(500, [16], 3),
      loss: loss.crossEntropy(),
      optimizer: optim.momentum({ lr: 0.05 }),
      batchSize: 25,
      epochs: 5,
      seed: 2,
      ...kept(place),
    },
  });
  return { model, result: { history: [], best: undefined } };
}

async function quantized(place: Place) {
  const float = nn.sequential(nn.linear(32, 64), nn.relu(), nn.linear(64, 4));
  const teacher = nn.sequential(nn.linear(32, 64), nn.relu(), nn.linear(64, 4));
  const model = await quantize.prepare(float, quantize.int4({ group: 32 }), { lsq: true });
  const result = await train.fit(model, blobs(800, [32], 4), {
    loss: loss.crossEntropy(),
    optimizer: optim.adam({ lr: 1e-3, groups: [{ match: /[sS]tep$/, lr: 1e-4 }] }),
    batchSize: 32,
    epochs: 10,
    seed: 11,
    distill: distill.kd({ teacher, temperature: 4, alpha: 0.5 }),
    validate: { on: blobs(160, [32], 4, 4000) },
    ...kept(place),
  });
  return { model, result };
}

class Attends extends nn.Module {
  embed = nn.embedding(16, 24);
  block = nn.transformerBlock({ dim: 24, heads: 2, causal: true });
  out = nn.linear(24, 16);
  forward(tokens: Tensor): Tensor {
    return this.out.forward(this.block.forward(this.embed.forward(tokens)));
  }
}

async function own({ dir, every }: Place) {
  const model = new Attends();
  using step = train.step(
    model,
    optim.adamW({ lr: schedule.cosine({ peak: 3e-3, warmup: 10 }), clipNorm: 1 }),
    ({ x, y }) => loss.crossEntropy()(model.forward(x).reshape([-1, 16]), y.reshape([-1])),
    { steps: 240 },
  );
  const saved = train.checkpoints(step, { dir, every, keep: 2 });
  const { steps, extra } = await saved.resume();
  const losses = (extra ?? []) as number[];
  const batch = (i: number) => {
    const tokens = Int32Array.from(
      { length: 8 * 13 },
      (_, t) => (draw(i * 8 + Math.floor(t / 13)) + (t % 13) * 3) % 16,
    );
    const part = (shift: number) =>
      Int32Array.from({ length: 96 }, (_, t) => tokens[Math.floor(t / 12) * 13 + (t % 12) + shift]!);
    return { x: array(part(0), [8, 12]), y: array(part(1), [8, 12]) };
  };
  for (let i = steps; i < 240; i++) {
    losses.push((await step.run(batch(i))).loss);
    await saved.offer(losses);
  }
  await saved.close();
  return { model, result: { history: losses.map((value) => ({ loss: value })), best: undefined } };
}

// Files of a run, there whole or not at all: a process may be killed while it writes them.
function written(place: Place, name: string, write: (folder: string) => void): string {
  const folder = join(place.dir, name);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  write(draft);
  try {
    renameSync(draft, folder);
  } catch {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

// Images read from PNG files as the run goes on, each changed at random by (seed, epoch, place).
async function images(place: Place) {
  const classes = ["ant", "bee", "cow", "dog"];
  const folder = written(place, "images", (draft) => {
    for (const [label, name] of classes.entries()) {
      mkdirSync(join(draft, name));
      for (let i = 0; i < 60; i++) {
        const pixels = Uint8Array.from({ length: 144 }, (_, at) =>
          Math.floor(128 + 120 * unit(label * 144 + at) + 100 * unit(label * 1e5 + i * 144 + at)),
        );
        writeFileSync(join(draft, name, `${i}.png`), encode({ width: 12, height: 12, channels: 1, depth: 8, data: pixels })); // prettier-ignore
      }
    }
  });
  const model = nn.sequential(
    nn.conv2d(1, 8, { kernel: 3, padding: 1 }),
    nn.batchNorm(8),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(8 * 36, 4),
  );
  const files = await data.imageFolder(folder);
  const result = await train.fit(model, files.augment({ flip: "leftRight", crop: { padding: 2 }, cutout: 3 }), {
    loss: loss.crossEntropy(),
    optimizer: optim.momentum({ lr: 0.02 }),
    batchSize: 16,
    epochs: 14,
    seed: 6,
    validate: { on: (await data.imageFolder(folder, { shuffle: false })).take(100), metrics: { accuracy: metrics.accuracy() } }, // prettier-ignore
    ...kept(place),
  });
  return { model, result };
}

// Windows of a file of tokens, accumulated gradients, an average of the weights that is validated and kept.
async function tokens(place: Place) {
  const folder = written(place, "tokens", (draft) => {
    const text = Uint16Array.from({ length: 6000 }, (_, i) => (draw(Math.floor(i / 7)) + (i % 7) * 3) % 16);
    writeFileSync(join(draft, "corpus.u16"), text);
  });
  const corpus = await data.tokens(join(folder, "corpus.u16"), { window: 12, length: 384 });
  const held = await data.tokens(join(folder, "corpus.u16"), { window: 12, order: "sequential", length: 64 });
  const model = new Attends();
  const result = await train.fit(model, corpus, {
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({ lr: schedule.cosine({ peak: 3e-3, warmup: 10 }), clipNorm: 1 }),
    batchSize: 8,
    accumulate: 3,
    average: train.ema({ decay: 0.95 }),
    epochs: 12,
    seed: 8,
    validate: { on: held, every: 20 },
    earlyStopping: { monitor: "val.loss", patience: 50 },
    ...kept(place),
  });
  return { model, result };
}

/** The runs by name. */
export const scenarios = { mlp, coded, cnn, images, tokens, ema, pruning, lottery, quantized, own } as const;

/** The name of a run. */
export type Scenario = keyof typeof scenarios;

/** Runs one to its end; what it has come to, in short. */
export async function run(name: Scenario, place: Place): Promise<string> {
  seed(4);
  const { model, result } = await scenarios[name](place);
  const hash = createHash("sha256");
  for (const { name: parameter, parameter: value } of (model as nn.Module).namedWeights()) {
    const { data: values } = value.readSync();
    hash.update(parameter).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    hash.update(value.readMask() ?? "");
  }
  const history = result.history.map((record) => ({ ...record, seconds: 0 }));
  return JSON.stringify({ weights: hash.digest("hex"), history, best: result.best });
}

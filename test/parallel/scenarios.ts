// Trainings whose every bit must not depend on how many ranks take part.
import { createHash } from "node:crypto";
import { array, data, loss, nn, optim, parallel, schedule, seed, train, type FitOptions, type Tensor } from "athanor";

/** What a training came to. */
export interface Outcome {
  /** SHA-256 of all parameters and running statistics. */
  readonly weights: string;
  readonly losses: readonly number[];
  readonly history: string;
}

/** How it is divided; undefined for `fit` as it is without ranks. */
export type Division =
  | { readonly shards: number; readonly bucketBytes?: number; readonly zero?: parallel.ZeroStage }
  | { readonly pipeline: parallel.PipelineOptions }
  | undefined;

function samples(count: number, features: number, classes: number, seed: number) {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const x = Float32Array.from({ length: count * features }, () => next() * 2 - 1);
  const y = Int32Array.from({ length: count }, () => Math.floor(next() * classes));
  return { x, y };
}

function table(count = 61, seed = 3) {
  const { x, y } = samples(count, 20, 5, seed);
  return data.fromArrays({ x: array(x, [count, 20]), y: array(y, [count]) });
}

class Skips extends nn.Module {
  first = nn.linear(20, 24);
  second = nn.linear(24, 24);
  third = nn.linear(24, 24);
  last = nn.linear(24, 5);
  override forward(x: Tensor): Tensor {
    const a = this.first.forward(x).relu();
    const b = this.second.forward(a).tanh();
    const c = this.third.forward(b).add(a).relu();
    return this.last.forward(c.mul(b));
  }
}

class Tied extends nn.Module {
  embedding = nn.embedding(12, 8);
  hidden = nn.linear(8, 16);
  back = nn.linear(16, 8);
  override forward(x: Tensor): Tensor {
    const h = this.back.forward(this.hidden.forward(this.embedding.forward(x)).relu());
    return h.matmul(this.embedding.weight, { transB: true });
  }
}

const scenarios = {
  // 61 samples in batches of 16: the last one has 13, whose shards are uneven.
  adam: {
    model: () => nn.sequential(nn.linear(20, 33), nn.relu(), nn.dropout(0.3), nn.linear(33, 5)),
    data: () => table(),
    options: {
      loss: loss.crossEntropy(),
      optimizer: optim.adam({ lr: schedule.cosine({ peak: 3e-3, warmup: 10 }), clipNorm: 0.5 }),
      batchSize: 16,
      steps: 100,
      validate: { on: table(23, 5) },
    },
  },
  // Batches of 16 and a last one of 3: fewer samples than shards.
  tiny: {
    model: () => nn.sequential(nn.linear(20, 8), nn.tanh(), nn.linear(8, 5)),
    data: () => table(35),
    options: { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1, momentum: 0.9 }), batchSize: 16, steps: 12 },
  },
  ignored: {
    model: () => nn.sequential(nn.linear(20, 8), nn.relu(), nn.linear(8, 5)),
    data: () => {
      const { x, y } = samples(48, 20, 5, 9);
      const labels = y.map((label, i) => (i % 3 === 0 || (i >= 8 && i < 12) ? -100 : label));
      return data.fromArrays({ x: array(x, [48, 20]), y: array(labels, [48]) });
    },
    options: {
      loss: loss.crossEntropy({ ignoreIndex: -100 }),
      optimizer: optim.adamW({ lr: 1e-2 }),
      batchSize: 16,
      steps: 20,
    },
  },
  summed: {
    model: () => nn.linear(20, 1),
    data: () => {
      const { x } = samples(40, 20, 2, 11);
      return data.fromArrays({ x: array(x, [40, 20]), y: array(x.slice(0, 40), [40, 1]) });
    },
    options: { loss: loss.mse({ reduction: "sum" }), optimizer: optim.sgd({ lr: 1e-3 }), batchSize: 16, steps: 20 },
  },
  images: {
    model: () =>
      nn.sequential(
        nn.conv2d(1, 4, { kernel: 3, padding: 1 }),
        nn.batchNorm(4),
        nn.relu(),
        nn.flatten(),
        nn.linear(4 * 36, 5),
      ),
    data: () => {
      const { x, y } = samples(64, 36, 5, 13);
      return data.fromArrays({ x: array(x, [64, 1, 6, 6]), y: array(y, [64]) });
    },
    options: {
      loss: loss.crossEntropy(),
      optimizer: optim.rmsProp({ lr: 1e-3 }),
      batchSize: 32,
      epochs: 10,
      earlyStopping: { monitor: "loss", patience: 2 },
    },
  },
  // A value that skips layers, so that it goes over several boundaries.
  skips: {
    model: () => new Skips(),
    data: () => table(35),
    options: {
      loss: loss.crossEntropy(),
      optimizer: optim.adam({ lr: 3e-3, clipNorm: 0.3 }),
      batchSize: 16,
      steps: 12,
    },
  },
  // Vectors at several places, d = 16 wherever the model is cut.
  sequences: {
    model: () =>
      nn.sequential(nn.linear(16, 16), nn.gelu(), nn.layerNorm(16), nn.linear(16, 16), nn.gelu(), nn.linear(16, 16)),
    data: () => {
      const { x } = samples(8 * 6, 16, 2, 31);
      return data.fromArrays({ x: array(x, [8, 6, 16]), y: array(x.map(Math.abs), [8, 6, 16]) });
    },
    options: { loss: loss.mse(), optimizer: optim.adam({ lr: 1e-3 }), batchSize: 8, steps: 3 },
  },
  // One weight on the first and the last stage.
  tied: {
    model: () => new Tied(),
    data: () => {
      const { y } = samples(48, 1, 12, 21);
      const { y: next } = samples(48, 1, 12, 22);
      return data.fromArrays({ x: array(y, [12, 4]), y: array(next, [12, 4]) });
    },
    options: { loss: loss.crossEntropy(), optimizer: optim.adamW({ lr: 1e-2, clipNorm: 1 }), batchSize: 8, steps: 12 },
  },
} satisfies Record<string, { model: () => nn.Module; data: () => data.Dataset; options: FitOptions }>;

/** Their names. */
export type Scenario = keyof typeof scenarios;
export const names = Object.keys(scenarios) as Scenario[];

/** Trains one. */
export async function run(name: Scenario, division: Division, more: Partial<FitOptions> = {}): Promise<Outcome> {
  const { model: make, data: set, options } = scenarios[name];
  seed(1);
  const model = make();
  const losses: number[] = [];
  const { history } = await train.fit(model, set(), {
    ...(options as FitOptions),
    ...more,
    seed: 17,
    callbacks: { onStep: ({ loss: value }) => void losses.push(value) },
    ...(division && {
      parallel: "pipeline" in division ? parallel.pipeline(division.pipeline) : parallel.data(division),
    }),
  });
  const hash = createHash("sha256");
  for (const { parameter } of model.namedParameters()) {
    hash.update(new Uint8Array((await parameter.read()).data.buffer));
  }
  const metrics = history.map(({ epoch, steps, metrics }) => ({ epoch, steps, metrics }));
  return { weights: hash.digest("hex"), losses, history: JSON.stringify(metrics) };
}

// One rank of bench/distributed.ts, which starts it: what divided steps take, what bubbles a pipeline has, what was predicted, what a small sum of all ranks
// takes. Prints a line of JSON on rank 0.
//   mpirun -n 2 --bind-to none node --import tsx bench/parallel.ts steps mlp '{"data":{"shards":2}}' 60
import { array, compile, data, loss, nn, optim, parallel, seed, train, type FitOptions, type Tensor } from "athanor";

const [context, vocabulary, dim] = [128, 256, 256];

class Gpt extends nn.Module {
  tokens = nn.embedding(vocabulary, dim);
  blocks = Array.from({ length: 4 }, () => nn.transformerBlock({ dim, heads: 4, causal: true, rotary: true }));
  norm = nn.layerNorm(dim);
  head = nn.linear(dim, vocabulary, { bias: false });
  forward(x: Tensor): Tensor {
    return this.head.forward(
      this.norm.forward(this.blocks.reduce((h, block) => block.forward(h), this.tokens.forward(x))),
    );
  }
}

const count = (size: number, modulus: number) => Int32Array.from({ length: size }, (_, i) => (i * 7919) % modulus);
const networks = {
  /** 784-1024-1024-10, 1.86 million parameters; batches of 256. */
  mlp: () => ({
    model: nn.sequential(nn.linear(784, 1024), nn.relu(), nn.linear(1024, 1024), nn.relu(), nn.linear(1024, 10)),
    set: data.fromArrays({
      x: array(
        Float32Array.from({ length: 1024 * 784 }, (_, i) => ((i * 2654435761) % 1000) / 1000),
        [1024, 784],
      ),
      y: array(count(1024, 10), [1024]),
    }),
    batchSize: 256,
  }),
  /** 4 blocks of width 256, 3.3 million parameters; batches of 8 times 128 tokens. */
  gpt: () => ({
    model: new Gpt(),
    set: data.fromArrays({
      x: array(count(64 * context, vocabulary), [64, context]),
      y: array(count(64 * context + 1, vocabulary).slice(1), [64, context]),
    }),
    batchSize: 8,
  }),
  /** 8 layers alike, to be cut in stages of equal cost; batches of 512. */
  layers: () => ({
    model: nn.sequential(...Array.from({ length: 8 }, () => nn.sequential(nn.linear(512, 512), nn.relu()))),
    set: data.fromArrays({
      x: array(
        Float32Array.from({ length: 2048 * 512 }, (_, i) => Math.sin(i)),
        [2048, 512],
      ),
      y: array(count(2048, 512), [2048]),
    }),
    batchSize: 512,
  }),
};
type Network = keyof typeof networks;
type Division = { readonly data?: parallel.DataOptions; readonly pipeline?: parallel.PipelineOptions };

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

/** Median seconds of a step, without those in which it was compiled and warmed; with pipelines the share of time without work. */
async function steps(network: Network, division: Division, steps: number) {
  seed(1);
  const { model, set, batchSize } = networks[network]();
  const times: number[] = [];
  const timelines: (readonly parallel.TimedAction[])[] = [];
  let last = 0;
  const onTimeline = (timeline: readonly parallel.TimedAction[]) => void timelines.push(timeline);
  const chosen: Partial<FitOptions> = division.pipeline
    ? { parallel: parallel.pipeline({ ...division.pipeline, onTimeline }) }
    : division.data
      ? { parallel: parallel.data(division.data) }
      : {};
  await train.fit(model, set, {
    loss: loss.crossEntropy(),
    optimizer: optim.adam({ lr: 1e-4 }),
    batchSize,
    steps,
    progress: false,
    ...chosen,
    callbacks: {
      onStep({ samplesPerSecond }) {
        if (samplesPerSecond !== last) times.push(batchSize / (last = samplesPerSecond));
      },
    },
  });
  const kept = times.slice(Math.min(2, times.length - 1));
  return { seconds: median(kept), fastest: Math.min(...kept), timelines: timelines.slice(1) };
}

/** Of the steps that all ranks have told of: one minus the work of all by the time of all. */
async function bubbles(schedule: string) {
  const { timelines } = await steps(
    "layers",
    { pipeline: { microBatches: 8, schedule: schedule as "gpipe", balance: "flops" } },
    60,
  );
  const own = timelines.map((timeline) => ({
    work: timeline.reduce((sum, { start, end }) => sum + end - start, 0),
    end: Math.max(...timeline.map(({ end }) => end)),
    order: timeline.map(({ pass, microBatch }) => `${pass}${microBatch}`).join(" "),
  }));
  const { size, rank } = parallel.world();
  const all = parallel.group("bench");
  const figures = own.flatMap(({ work, end }) => [work, end]);
  const gather = compile((x: Tensor) => parallel.allGather(x, { group: all, axis: 0, sizes: Array(size).fill(figures.length) as number[] })); // prettier-ignore
  const told = (await gather.run(array(figures))).toArray() as number[];
  const of = (r: number, i: number) => told[r * figures.length + i]!;
  const shares = own.map((_, s) => {
    const ranks = Array.from({ length: size }, (_, r) => r);
    const work = ranks.reduce((sum, r) => sum + of(r, 2 * s), 0);
    return 1 - work / (size * Math.max(...ranks.map((r) => of(r, 2 * s + 1))));
  });
  const planned = parallel.pipelineSchedule(schedule as "gpipe", { stages: size, microBatches: 8 });
  // The first stage has no gradient of inputs to make.
  const does = planned.actions[rank]!.filter(({ pass }) => rank > 0 || pass !== "I");
  const wanted = does.map(({ pass, microBatch }) => `${pass}${microBatch}`).join(" ");
  return {
    schedule,
    measured: median(shares),
    least: Math.min(...shares),
    theory: parallel.simulate(planned).bubble,
    steps: shares.length,
    inOrder: own.every(({ order }) => order === wanted),
  };
}

/** What the cost model says of these divisions, and what they take. */
async function predictions(network: Network) {
  const { model, set, batchSize } = networks[network]();
  const options = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-4 }), batchSize, steps: 10 };
  const plan = await parallel.plan(model, set, options, { ranks: 2 });
  const divisions: Record<string, Division> = {
    "data 2": { data: { shards: 4 } },
    "data 2, ZeRO-1": { data: { shards: 4, zero: 1 } },
    "data 2, ZeRO-2": { data: { shards: 4, zero: 2 } },
    "pipeline 2, 1f1b": { pipeline: { microBatches: 8, schedule: "1f1b" } },
    "pipeline 2, zero-bubble": { pipeline: { microBatches: 8, schedule: "zero-bubble" } },
  };
  const rows = [];
  for (const [strategy, division] of Object.entries(divisions)) {
    const predicted = plan.predictions.find((each) => each.strategy === strategy)?.seconds;
    if (predicted === undefined) continue;
    const { seconds } = await steps(network, division, network === "mlp" ? 80 : 30);
    rows.push({ network, strategy, predicted, measured: seconds, ratio: predicted / seconds });
  }
  return { rows, pays: plan.pays, machine: plan.machine };
}

/** Microseconds of a sum of 1 KB over all ranks, of many that follow one another in one program. */
async function latency() {
  const { size } = await parallel.connect();
  const all = parallel.group("bench");
  const chain = 200;
  const program = compile((x: Tensor) => {
    let y = x;
    for (let i = 0; i < chain; i++) y = parallel.allReduce(y, { group: all }).mul(1 / size);
    return y;
  });
  const x = array(new Float32Array(256).fill(1));
  const times: number[] = [];
  for (let i = 0; i < 30; i++) {
    const begun = performance.now();
    await program.run(x);
    times.push(((performance.now() - begun) * 1e3) / chain);
  }
  times.shift();
  return { ranks: size, microseconds: median(times), fastest: Math.min(...times) };
}

const [kind, ...rest] = process.argv.slice(2) as [string, ...string[]];
if (kind !== "steps" || rest[1] !== "{}") await parallel.connect();
const result = await (kind === "latency"
  ? latency()
  : kind === "bubbles"
    ? bubbles(rest[0]!)
    : kind === "predictions"
      ? predictions(rest[0] as Network)
      : steps(rest[0] as Network, JSON.parse(rest[1] ?? "{}") as Division, Number(rest[2] ?? 60)).then(
          ({ seconds, fastest }) => ({
            network: rest[0],
            division: rest[1],
            seconds,
            fastest,
            exchanged: parallel.ledger(),
          }),
        ));
if (parallel.world().rank === 0) console.log(JSON.stringify(result));

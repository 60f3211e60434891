// Pipeline parallelism: the bits of data parallelism with as many shards, however the model is cut and whatever the schedule.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, parallel, seed, train, type FitOptions } from "athanor";
import { launch, mpis, type Mpi } from "./launch.js";
import { names, run, type Outcome, type Scenario } from "./scenarios.js";

let folder: string;
const sharded = {} as Record<Scenario, Outcome>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pipeline-"));
  for (const name of names) sharded[name] = await run(name, { shards: 4 });
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Rank {
  readonly outcomes: Record<string, Record<Scenario, Outcome>>;
  readonly orders: Record<string, string[]>;
  readonly ledger: readonly parallel.LedgerRow[];
}

async function ranksOf(
  mpi: Mpi,
  ranks: number,
  divisions: Record<string, parallel.PipelineOptions>,
  only = "",
  more: Partial<FitOptions> = {},
) {
  const into = mkdtempSync(join(folder, "job-"));
  const args = [JSON.stringify(divisions), into, only, JSON.stringify(more)];
  const job = await launch(mpi, { ranks, program: "rank-pipeline.ts", args });
  expect(job.code, job.stderr).toBe(0);
  return Array.from({ length: ranks }, (_, r) => JSON.parse(readFileSync(join(into, `${r}.json`), "utf8")) as Rank);
}

const alone = (chunks: number): parallel.PipelineOptions => ({
  stages: 1,
  schedule: "interleaved",
  chunks,
  microBatches: 4,
});

describe("one rank with several stages", () => {
  it.each(names)("has the bits of four shards, wherever the model is cut: %s", async (name) => {
    for (const chunks of name === "summed" ? [1] : [1, 2, 3]) {
      for (const balance of ["measured", "flops"] as const) {
        const outcome = await run(name, { pipeline: { ...alone(chunks), balance } });
        expect(outcome, `${chunks} stages`).toEqual(sharded[name]);
      }
    }
  });

  // With lr 1 and one step of plain SGD the weights have moved by the gradient.
  it("has the gradients of the undivided model within 1e-5 of their norm", async () => {
    const x = Float32Array.from({ length: 13 * 20 }, (_, i) => Math.sin(i * 1.7));
    const set = data.fromArrays({
      x: array(x, [13, 20]),
      y: array(Int32Array.from({ length: 13 }, (_, i) => i % 5)),
    });
    const gradients = async (division?: parallel.PipelineOptions) => {
      seed(3);
      const model = nn.sequential(nn.linear(20, 16), nn.gelu(), nn.linear(16, 16), nn.layerNorm(16), nn.linear(16, 5));
      const read = async () => (await Promise.all(model.namedParameters().map(async ({ parameter }) => [...(await parameter.read()).data]))).flat(); // prettier-ignore
      const before = await read();
      await train.fit(model, set, {
        loss: loss.crossEntropy(),
        optimizer: optim.sgd({ lr: 1 }),
        batchSize: 13,
        steps: 1,
        ...(division && { parallel: parallel.pipeline(division) }),
      });
      return (await read()).map((value, i) => before[i]! - value);
    };
    const [whole, cut] = [await gradients(), await gradients(alone(3))];
    const norm = Math.hypot(...whole);
    expect(norm).toBeGreaterThan(0.01);
    expect(Math.hypot(...whole.map((value, i) => value - cut[i]!)) / norm).toBeLessThan(1e-5);
  });

  it("says where the model was cut and what the schedule comes to, before the first step", async () => {
    const plans: parallel.PipelinePlan[] = [];
    await run("adam", { pipeline: { ...alone(2), balance: "flops", onPlan: (plan) => plans.push(plan) } });
    expect(plans).toHaveLength(1);
    expect(plans[0]!.stages.map(({ rank }) => rank)).toEqual([0, 0]);
    // 4 samples of 33 numbers, or of 5 where the last layer was cut off.
    expect(plans[0]!.stages[0]!.sends % 16).toBe(0);
    expect(String(plans[0])).toMatch(/^stage 0 on rank 0: .* to .*, .* ms a micro-batch, sends \d+ B\n.*interleaved/s);
  });
});

// Cut by FLOP: a measured cut of layers as small as these is another one each time, and a stage without weights has no pass for them.
const schedules: Record<string, parallel.PipelineOptions> = {
  gpipe: { schedule: "gpipe", microBatches: 4, balance: "flops" },
  "1f1b": { schedule: "1f1b", microBatches: 4, balance: "flops" },
  interleaved: { schedule: "interleaved", microBatches: 4, balance: "flops" },
  "zero-bubble": { schedule: "zero-bubble", microBatches: 4, balance: "flops" },
};

describe.skipIf(mpis.length === 0).each(mpis)("ranks of $name", (mpi) => {
  it("have the bits of one, by every schedule, and do what it says", { timeout: 300_000 }, async () => {
    const { adam, images, tied } = sharded;
    const wanted = { adam, images, tied };
    const ranks = await ranksOf(mpi, 2, schedules, Object.keys(wanted).join());
    ranks.forEach(({ outcomes, orders }, rank) => {
      for (const [name, options] of Object.entries(schedules)) {
        expect(outcomes[name], name).toEqual(wanted);
        const chunks = name === "interleaved" ? 2 : 1;
        const schedule = parallel.pipelineSchedule(options.schedule as "gpipe", { stages: 2, microBatches: 4, chunks });
        const listed = schedule.actions[rank]!.map(({ pass, microBatch, chunk }) => `${pass}${microBatch}.${chunk}`);
        // Backward by inputs has nothing to do on the first stage.
        const does = rank === 0 ? listed.filter((each) => !each.startsWith("I")) : listed;
        expect(orders[`${name} adam`]).toEqual(does);
      }
    });
  });

  it("divide the batch among pipelines, to the same bits", { timeout: 300_000 }, async () => {
    const division = { "2 × 2": { stages: 2, microBatches: 4, schedule: "1f1b" as const } };
    for (const { outcomes } of await ranksOf(mpi, 4, division, "adam,images,tied")) {
      const { adam, images, tied } = sharded;
      expect(outcomes["2 × 2"]).toEqual({ adam, images, tied });
    }
  });

  it("send 4 · B · T · d bytes a boundary, micro-batch and direction", { timeout: 300_000 }, async () => {
    const [first, last] = await ranksOf(mpi, 2, { one: { microBatches: 4, balance: "flops" } }, "sequences");
    const sent = (rank: Rank) => rank.ledger.find(({ name }) => name === "send")!.sent;
    // 3 steps of 4 micro-batches of 2 sequences of 6 vectors of 16 numbers.
    const wanted = 3 * 4 * (4 * 2 * 6 * 16);
    expect([sent(first!), sent(last!)]).toEqual([wanted, wanted]);
  });
});

// Half of the steps by one division, the rest by another; losses are those of the second half.
describe("a checkpoint", () => {
  const steps = 6;
  const checkpoint = () => ({ dir: join(mkdtempSync(join(folder, "state-")), "run"), every: 3 });
  const rest = { resume: "auto", allow: ["length"] } as const;
  const later = ({ weights, losses }: Outcome) => ({ weights, losses: losses.slice(steps) });
  const ended = ({ weights, losses }: Outcome) => ({ weights, losses });

  it("goes on with another number of stages, by shards, and without ranks", async () => {
    const kept = checkpoint();
    await run("skips", { pipeline: alone(3) }, { steps, checkpoint: kept });
    for (const division of [{ pipeline: alone(1) }, { pipeline: alone(2) }, { shards: 4 }]) {
      const copy = checkpoint();
      cpSync(kept.dir, copy.dir, { recursive: true });
      expect(ended(await run("skips", division, { checkpoint: copy, ...rest }))).toEqual(later(sharded.skips));
    }
    const back = checkpoint();
    await run("skips", { shards: 4 }, { steps, checkpoint: back });
    const outcome = await run("skips", { pipeline: alone(2) }, { checkpoint: back, ...rest });
    expect(ended(outcome)).toEqual(later(sharded.skips));
  });

  it.skipIf(mpis.length === 0)(
    "holds what all ranks have, and goes on with more of them",
    { timeout: 300_000 },
    async () => {
      const kept = checkpoint();
      const one = { one: { microBatches: 4 } };
      await ranksOf(mpis[0]!, 2, one, "skips", { steps, checkpoint: kept });
      const copy = checkpoint();
      cpSync(kept.dir, copy.dir, { recursive: true });
      expect(ended(await run("skips", { shards: 4 }, { checkpoint: copy, ...rest }))).toEqual(later(sharded.skips));
      const two = { one: { microBatches: 4, stages: 2 } };
      for (const { outcomes } of await ranksOf(mpis[0]!, 4, two, "skips", { checkpoint: kept, ...rest })) {
        expect(ended(outcomes.one!.skips)).toEqual(later(sharded.skips));
      }
    },
  );
});

describe("parallel.pipeline", () => {
  it("names options that are wrong", () => {
    expect(() => parallel.pipeline({ schedule: "gpip" as never })).toThrow('did you mean "gpipe"?');
    expect(() => parallel.pipeline({ stages: 0 })).toThrow("stages must be a whole number from 1 to 4096, got 0");
    expect(() => parallel.pipeline({ stage: 2 } as never)).toThrow('unknown option "stage", did you mean "stages"?');
    expect(() => parallel.pipeline({ balance: "time" as never })).toThrow('balance must be "measured" or "flops"');
  });

  const set = data.fromArrays({ x: array(new Float32Array(16), [8, 2]), y: array(new Float32Array(8), [8, 1]) });
  const fit = (options: parallel.PipelineOptions, more: object = {}, model: nn.Module = nn.linear(2, 1)) =>
    train.fit(model, set, {
      loss: loss.mse(),
      optimizer: optim.sgd({ lr: 0.1 }),
      batchSize: 8,
      parallel: parallel.pipeline(options),
      ...more,
    });

  it("says how many ranks the stages take", async () => {
    await expect(fit({ stages: 2 })).rejects.toThrow(/1 rank cannot hold pipelines of .*mpirun -n 2, or give/);
  });

  it("says how many layers there are to cut between", async () => {
    await expect(fit({ stages: 1, schedule: "interleaved", chunks: 5 })).rejects.toThrow(
      /the model has \d layers? to cut between, got 5 stages/,
    );
  });

  it("refuses checkpoints by time, and pruned models", async () => {
    expect(() => fit({}, { checkpoint: { dir: "unused", every: "5 min" } })).toThrow("do not share a clock");
    const model = nn.linear(2, 1);
    model.weight.setMask(Uint8Array.of(1, 0));
    await expect(fit({ stages: 1 }, {}, model)).rejects.toThrow('"weight" has a mask');
  });
});

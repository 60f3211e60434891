// Data parallelism: the same bits for any number of ranks, on every MPI that is installed; and the same training as without ranks.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, parallel, train } from "athanor";
import { launch, mpis, type Mpi } from "./launch.js";
import { names, run, type Outcome, type Scenario } from "./scenarios.js";

let folder: string;
const alone = {} as Record<Scenario, Outcome>;
const plain = {} as Record<Scenario, Outcome>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parallel-"));
  for (const name of names) {
    alone[name] = await run(name, { shards: 4 });
    plain[name] = await run(name, undefined);
  }
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Rank {
  readonly size: number;
  readonly outcomes: Record<Scenario, Outcome>;
  readonly ledger: readonly parallel.LedgerRow[];
}

async function ranksOf(mpi: Mpi, ranks: number, division: object, options: readonly string[] = []): Promise<Rank[]> {
  const into = mkdtempSync(join(folder, "job-"));
  const args = [JSON.stringify(division), into];
  const job = await launch(mpi, { ranks, program: "rank-scenarios.ts", args, options });
  expect(job.code, job.stderr).toBe(0);
  return Array.from({ length: ranks }, (_, r) => JSON.parse(readFileSync(join(into, `${r}.json`), "utf8")) as Rank);
}

describe("one rank with four shards", () => {
  // The first losses come before rounding has had its say; dropout among them draws what the whole batch draws.
  it.each(names.filter((name) => name !== "images"))("trains as a run without shards does: %s", (name) => {
    expect(alone[name].losses.length).toBe(plain[name].losses.length);
    for (const step of [0, 1, 2]) {
      const [a, b] = [alone[name].losses[step]!, plain[name].losses[step]!];
      expect(Math.abs(a - b) / Math.abs(b), `step ${step}: ${a} and ${b}`).toBeLessThan(1e-6);
    }
  });

  it("has other bits for another number of shards, so that the comparison below compares something", async () => {
    expect((await run("adam", { shards: 8 })).weights).not.toBe(alone.adam.weights);
  });
});

describe.skipIf(mpis.length === 0)("ranks", () => {
  it.each(
    mpis.flatMap((mpi) => [
      { mpi, ranks: 2, how: "shared memory", options: [] as string[] },
      { mpi, ranks: 4, how: "shared memory", options: [] as string[] },
      ...(mpi.name === "openmpi" ? [{ mpi, ranks: 4, how: "TCP", options: ["--mca", "btl", "tcp,self"] }] : []),
    ]),
  )(
    "have the bits of one rank: $mpi.name, $ranks ranks, $how",
    async ({ mpi, ranks, options }) => {
      for (const { outcomes, size } of await ranksOf(mpi, ranks, { shards: 4 }, options)) {
        expect(size).toBe(ranks);
        expect(outcomes).toEqual(alone);
      }
    },
    300_000,
  );

  it("have the bits of one rank with three ranks, four shards and small buckets", async () => {
    for (const { outcomes } of await ranksOf(mpis[0]!, 3, { shards: 4, bucketBytes: 200 })) {
      expect(outcomes).toEqual(alone);
    }
  }, 300_000);
});

describe("fit", () => {
  const set = data.fromArrays({ x: array(new Float32Array(16), [8, 2]), y: array(new Float32Array(8), [8, 1]) });
  const options = { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 8 };

  it("names what it was given instead of a division", () => {
    expect(() => train.fit(nn.linear(2, 1), set, { ...options, parallel: parallel.data as never })).toThrow(
      /parallel must be parallel.data\(\) or parallel.pipeline\(\), got .*call it/,
    );
    expect(() => parallel.data({ shards: 0 })).toThrow("parallel.data: shards must be a whole number from 1 to 4096");
    expect(() => parallel.data({ shard: 4 } as never)).toThrow('unknown option "shard", did you mean "shards"?');
    expect(() => parallel.data({ deadline: 0 })).toThrow("deadline must be seconds above 0");
  });

  it("refuses to validate by time, as ranks share no clock", () => {
    expect(() =>
      train.fit(nn.linear(2, 1), set, { ...options, parallel: parallel.data(), validate: { on: set, every: "1 min" } }),
    ).toThrow("ranks do not share a clock");
  });

  it("is one rank of one without a launcher", async () => {
    await train.fit(nn.linear(2, 1), set, { ...options, parallel: parallel.data() });
    expect(parallel.world()).toEqual({ rank: 0, size: 1 });
    expect(await parallel.connect()).toMatchObject({ rank: 0, size: 1, name: "one rank alone" });
  });
});

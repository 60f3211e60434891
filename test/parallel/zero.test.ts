// ZeRO: what ranks divide among them changes no bit of what they train, and is what the formulas say that they hold and send.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, parallel, train, type FitOptions } from "athanor";
import { launch, mpis } from "./launch.js";
import { run, type Outcome, type Scenario } from "./scenarios.js";

// Dropout, clipping and uneven batches; a loss that counts; running statistics; a weight that is used twice.
const names = ["adam", "ignored", "images", "tied"] as const satisfies Scenario[];
const alone = {} as Record<Scenario, Outcome>;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "zero-"));
  for (const name of names) alone[name] = await run(name, { shards: 4 });
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Measured {
  readonly parameters: number;
  readonly memory: parallel.RankMemory;
  readonly sent: { readonly scatter: number; readonly reduce: number; readonly gather: number };
}

interface Told {
  readonly outcomes: Record<string, Outcome>;
  readonly resumed: string;
  readonly metrics: readonly { readonly zero: parallel.ZeroStage; readonly few: Measured; readonly many: Measured }[];
}

// Bytes a parameter: of weights, gradients and Adam's two states.
const held = (zero: number, n: number) => (zero > 2 ? 4 / n : 4) + (zero > 1 ? 4 / n : 4) + (zero > 0 ? 8 / n : 8);

describe.skipIf(mpis.length === 0)("states and gradients that ranks divide", () => {
  it.each(
    mpis.flatMap((mpi) => [
      ...[2, 4].map((ranks) => ({ mpi, ranks, by: "memory", options: [] as string[] })),
      ...(mpi.name === "openmpi" ? [{ mpi, ranks: 2, by: "TCP", options: ["--mca", "btl", "tcp,self"] }] : []),
    ]),
  )(
    "train to the bits of one rank, held and sent by the formulas, and go on from another division: $mpi.name, $ranks ranks by $by",
    { timeout: 300_000 },
    async ({ mpi, ranks, options }) => {
      const into = mkdtempSync(join(folder, "job-"));
      await run("adam", { shards: 4 }, { checkpoint: { dir: join(into, "alone"), every: 40, keep: 9 } });
      const args = [into, names.join(",")];
      const job = await launch(mpi, { ranks, program: "rank-zero.ts", args, options, limit: 240 });
      expect(job.code, job.stderr).toBe(0);
      for (let rank = 0; rank < ranks; rank++) {
        const told = JSON.parse(readFileSync(join(into, `${ranks}-${rank}.json`), "utf8")) as Told;
        for (const zero of [1, 2, 3]) {
          for (const name of names) expect(told.outcomes[`${name} ${zero}`], `${name} ${zero}`).toEqual(alone[name]);
        }
        expect(told.resumed).toBe(alone.adam.weights);
        for (const { zero, few, many } of told.metrics) {
          const { parameters, gradients, states } = many.memory;
          const formula = held(zero, ranks) * many.parameters;
          expect(Math.abs((parameters + gradients + states) / formula - 1), `ZeRO-${zero}`).toBeLessThan(0.01);
          const each = (kind: keyof Measured["sent"]) => (many.sent[kind] - few.sent[kind]) / 4;
          const share = ((ranks - 1) / ranks) * 4 * many.parameters;
          // With 3 parameters twice, but for the first of the 100 layers, which no backward pass reads, and the last, which is still there.
          const wanted = (zero === 3 ? 3 : 2) * share;
          const sent = each("scatter") + each("reduce") + each("gather");
          expect(Math.abs(sent / wanted - 1), `ZeRO-${zero}: ${sent} bytes`).toBeLessThan(0.01);
          expect(each("reduce") === 0).toBe(zero > 0);
        }
      }
      const resume = join(into, "divided", "step-000000040");
      const { weights } = await run("adam", { shards: 4 }, { resume });
      expect(weights).toBe(alone.adam.weights);
    },
  );
});

describe("parallel.data({ zero })", () => {
  const set = data.fromArrays({ x: array(new Float32Array(16), [8, 2]), y: array(new Float32Array(8), [8, 1]) });
  const options = { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1, momentum: 0.9 }), batchSize: 8 };

  it("says what it takes", () => {
    expect(() => parallel.data({ zero: 4 as never })).toThrow(
      "parallel.data: zero must be 0, 1 (states), 2 (gradients as well) or 3 (also parameters), got 4",
    );
  });

  it("refuses rules that look at whole tensors", () => {
    const run = (optimizer: optim.Optimizer, division: FitOptions["parallel"]) => () =>
      train.fit(nn.linear(2, 1), set, { ...options, optimizer, parallel: division });
    expect(run(optim.lamb(), parallel.data({ zero: 1 }))).toThrow(
      "train.fit: optim.lamb looks at whole tensors, of which ranks with zero: 1 step parts; leave out zero, or use a rule such as optim.adamW",
    );
    expect(run(optim.prodigy(), parallel.pipeline())).toThrow(
      "train.fit: optim.prodigy looks at all tensors together, of which a pipeline gives every rank some; use parallel.data()",
    );
  });

  it("keeps no checkpoints by a clock, which ranks do not share", () => {
    const checkpoint = { dir: "unused", every: "1 min" } as const;
    expect(() =>
      train.fit(nn.linear(2, 1), set, { ...options, checkpoint, parallel: parallel.data({ zero: 1 }) }),
    ).toThrow("ranks that divide states write checkpoints together and do not share a clock");
  });

  it("is plain data parallelism on one rank", async () => {
    let memory: parallel.RankMemory | undefined;
    const callbacks = { onStep: () => void (memory = parallel.memory()) };
    await train.fit(nn.linear(2, 1), set, { ...options, parallel: parallel.data({ zero: 2 }), callbacks });
    expect(memory).toMatchObject({ parameters: 12, states: 12 });
    expect(parallel.memory()).toEqual({ parameters: 0, gradients: 0, states: 0, messages: 0 });
  });
});

// Products of divisions, ranks oversubscribed.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { optim, parallel, seed, train } from "athanor";
import { models, setOf } from "./divided-models.js";
import { launch, mpis } from "./launch.js";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "mesh-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly mesh: string;
  /** What saving a part as an artifact says. */
  readonly refused: string;
  /** What a pipeline that is not of the mesh says. */
  readonly crossed?: string;
  readonly place: { readonly pipeline: number; readonly data: number; readonly tensor: number };
  readonly losses: readonly [readonly number[], readonly number[]];
  /** On one rank, on the mesh, on the mesh from a checkpoint on. */
  readonly weights: readonly [number[][], number[][], number[][]];
  /** On the mesh by stages of ZeRO. */
  readonly zeros: readonly number[][][];
}

async function told(into: string, mpi: (typeof mpis)[number], ranks: number, extents: parallel.MeshOptions) {
  const args = [into, "transformer", JSON.stringify(extents)];
  const job = await launch(mpi, { ranks, program: "rank-mesh.ts", args, limit: 240 });
  expect(job.code, job.stderr).toBe(0);
  return Array.from(
    { length: ranks },
    (_, rank) => JSON.parse(readFileSync(join(into, `${rank}.json`), "utf8")) as Told,
  );
}

function expectClose(one: readonly number[][], other: readonly number[][]): void {
  one.forEach((values, p) => {
    const scale = Math.max(...values.map((value) => Math.abs(value)));
    values.forEach((value, i) => expect(Math.abs(other[p]![i]! - value) / scale).toBeLessThan(1e-5));
  });
}

function expectTrainedAsOne(all: readonly Told[]): void {
  for (const { losses, weights, refused, zeros } of all) {
    expect(refused).toMatch(
      /^artifact\.save: ".+" is this rank's part of a larger tensor, .* save await plan\.gather\(model\)$/,
    );
    expect(losses[1]).toHaveLength(8);
    losses[0].forEach((value, i) => expect(Math.abs(losses[1][i]! - value) / value, `step ${i}`).toBeLessThan(1e-5));
    const [one, mesh, resumed] = weights;
    expectClose(one, mesh);
    expect(mesh).toEqual(all[0]!.weights[1]);
    expect(resumed).toEqual(mesh);
    for (const zero of zeros) expect(zero).toEqual(mesh);
  }
}

/** Goes on from the checkpoint of step 4 on one rank, as the mesh has written it. */
async function resumedAlone(into: string): Promise<number[][]> {
  const { model: make, loss: of } = models.transformer!;
  seed(1);
  const model = make().assignNames();
  await train.fit(model, setOf(models.transformer!), {
    loss: of,
    optimizer: optim.sgd({ lr: 0.05, momentum: 0.9, clipNorm: 0.5 }),
    batchSize: 7,
    steps: 8,
    seed: 3,
    parallel: parallel.data({ shards: 4 }),
    resume: join(into, "checkpoints", "step-000000004"),
  });
  return model.namedParameters().map(({ parameter }) => [...(parameter.readSync().data as Float32Array)]);
}

describe.skipIf(mpis.length === 0)("products of divisions", () => {
  it.each(mpis)(
    "data 2 × tensor 2 trains as one rank does, with ZeRO to the same bits: $name",
    { timeout: 300_000 },
    async (mpi) => {
      const into = mkdtempSync(join(folder, "job-"));
      const all = await told(into, mpi, 4, { data: 2, tensor: 2 });
      expect(all[0]!.mesh).toBe(
        "mesh of 4 ranks: rank = (pipeline · 2 + data) · 2 + tensor\npipeline 1: [0] [1] [2] [3]\ndata 2: [0 2] [1 3]\ntensor 2: [0 1] [2 3]",
      );
      expect(all[3]!.place).toEqual({ pipeline: 0, data: 1, tensor: 1 });
      expectTrainedAsOne(all);
      expect(all[0]!.zeros).toHaveLength(3);
      expectClose(all[0]!.weights[1], await resumedAlone(into));
    },
  );

  it.each(mpis.flatMap((mpi, m) => (m === 0 ? [2] : [1, 2]).map((data) => ({ mpi, data }))))(
    "data $data × tensor 2 × pipeline 2 trains as one rank does: $mpi.name",
    { timeout: 300_000 },
    async ({ mpi, data }) => {
      const into = mkdtempSync(join(folder, "job-"));
      const all = await told(into, mpi, 4 * data, { data, tensor: 2, pipeline: 2 });
      expect(all[2 * data + 1]!.place).toEqual({ pipeline: 1, data: 0, tensor: 1 });
      expectTrainedAsOne(all);
      expect(all[0]!.crossed).toBe(
        "train.fit: a model that parallel.tensor has divided is cut in stages by the mesh that it was divided by; divide it by mesh.tensor(model), and give mesh.pipeline() as parallel",
      );
      expectClose(all[0]!.weights[1], await resumedAlone(into));
    },
  );
});

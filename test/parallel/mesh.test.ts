// Products of divisions, ranks oversubscribed.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch, mpis } from "./launch.js";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "mesh-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly mesh: string;
  /** What saving a part as an artifact says. */
  readonly refused: string;
  readonly place: { readonly pipeline: number; readonly data: number; readonly tensor: number };
  readonly losses: readonly [readonly number[], readonly number[]];
  /** On one rank, on the mesh, on the mesh from a checkpoint on. */
  readonly weights: readonly [number[][], number[][], number[][]];
}

describe.skipIf(mpis.length === 0)("data 2 × tensor 2", () => {
  it.each(mpis)("trains as one rank does: $name", { timeout: 300_000 }, async (mpi) => {
    const into = mkdtempSync(join(folder, "job-"));
    const job = await launch(mpi, { ranks: 4, program: "rank-mesh.ts", args: [into, "transformer"] });
    expect(job.code, job.stderr).toBe(0);
    const told = [0, 1, 2, 3].map((rank) => JSON.parse(readFileSync(join(into, `${rank}.json`), "utf8")) as Told);
    expect(told[0]!.mesh).toBe(
      "mesh of 4 ranks: rank = (pipeline · 2 + data) · 2 + tensor\npipeline 1: [0] [1] [2] [3]\ndata 2: [0 2] [1 3]\ntensor 2: [0 1] [2 3]",
    );
    expect(told[3]!.place).toEqual({ pipeline: 0, data: 1, tensor: 1 });
    for (const { losses, weights, refused } of told) {
      expect(refused).toMatch(
        /^artifact\.save: ".+" is this rank's part of a larger tensor, .* save await plan\.gather\(model\)$/,
      );
      expect(losses[1]).toHaveLength(8);
      losses[0].forEach((value, i) => expect(Math.abs(losses[1][i]! - value) / value, `step ${i}`).toBeLessThan(1e-5));
      const [one, mesh, resumed] = weights;
      one.forEach((values, p) => {
        const scale = Math.max(...values.map((value) => Math.abs(value)));
        values.forEach((value, i) => expect(Math.abs(mesh[p]![i]! - value) / scale).toBeLessThan(1e-5));
      });
      expect(mesh).toEqual(told[0]!.weights[1]);
      expect(resumed).toEqual(mesh);
    }
  });
});

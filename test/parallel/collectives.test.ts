// Collectives as operations of a traced function, on every MPI that is installed and on one rank alone.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, compile, parallel, type Tensor } from "athanor";
import { launch, mpis } from "./launch.js";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "collectives-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly results: Readonly<Record<string, { readonly shape: number[]; readonly data: number[] }>>;
  readonly backward: number[];
  readonly ledger: readonly parallel.LedgerRow[];
}

const held = (rank: number, count: number): number[] => Array.from({ length: count }, (_, i) => 10 * (rank + 1) + i);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe.skipIf(mpis.length === 0).each(mpis)("collectives: $name", (mpi) => {
  it.each([2, 3])("give what they say on %i ranks", { timeout: 120_000 }, async (size) => {
    const into = mkdtempSync(join(folder, "job-"));
    const job = await launch(mpi, { ranks: size, program: "rank-collectives.ts", args: [into] });
    expect(job.code, job.stderr).toBe(0);
    const ranks = range(size);
    const told = ranks.map((r) => JSON.parse(readFileSync(join(into, `${r}.json`), "utf8")) as Told);
    const width = 2 * size;
    const values = ranks.map((r) => held(r, 2 * width));
    const rows = [3, 1, 2].slice(0, size);
    for (const [r, { results, backward }] of told.entries()) {
      expect(results.sum!.data).toEqual(range(2 * width).map((i) => sum(values.map((v) => v[i]!))));
      expect(results.most!.data).toEqual(values.at(-1));
      const pair = ranks.filter((other) => other >> 1 === r >> 1);
      expect(results.pair!.data).toEqual(range(2 * width).map((i) => sum(pair.map((p) => values[p]![i]!))));
      const gathered = [0, 1].flatMap((row) =>
        ranks.flatMap((p) => held(p, 2 * rows[p]!).slice(row * rows[p]!, (row + 1) * rows[p]!)),
      );
      expect(results.gathered).toEqual({ shape: [2, sum(rows)], data: gathered });
      const scattered = [0, 1].flatMap((row) => [0, 1].map((c) => sum(values.map((v) => v[row * width + 2 * r + c]!))));
      expect(results.scattered).toEqual({ shape: [2, 2], data: scattered });
      expect(results.first!.data).toEqual(values.at(-1));
      const turned = ranks.flatMap((p) =>
        [0, 1].flatMap((row) => [0, 1].map((c) => values[p]![row * width + 2 * r + c]!)),
      );
      expect(results.turned).toEqual({ shape: [width, 2], data: turned });
      // d/dw of Σ (w₀ + w₁ + …)², whichever rank has w.
      expect(backward).toEqual(range(4).map((i) => 2 * sum(ranks.map((p) => held(p, 4)[i]!))));
    }
  });

  it("differ by rank: all of them say where, before the first", { timeout: 120_000 }, async () => {
    const job = await launch(mpi, { ranks: 3, program: "rank-collectives.ts", args: [folder, "differ"], limit: 100 });
    expect(job.code).not.toBe(0);
    const sentence =
      /the collectives of rank 1 \(.+\) are not those of rank 0 \(.+\): number 2 among "all" is all_reduce max of f32 \[2, 3\], not all_reduce sum of f32 \[2, 3\]/g;
    expect(job.stderr.match(sentence)?.length, job.stderr).toBeGreaterThanOrEqual(1);
    expect(job.seconds).toBeLessThan(60);
  });
});

describe("on one rank", () => {
  it("they give back what they get", async () => {
    await parallel.connect();
    const group = parallel.group("all");
    expect(group).toMatchObject({ size: 1, rank: 0, ranks: [0] });
    const f = compile((x: Tensor) => ({
      sum: parallel.allReduce(x, { group }),
      gathered: parallel.allGather(x, { group, axis: 1 }),
      scattered: parallel.reduceScatter(x, { group, axis: -1 }),
      turned: parallel.allToAll(x, { group, split: 1, concat: 0 }),
      first: parallel.broadcast(x, { group }),
    }));
    const x = array([1, 2, 3, 4, 5, 6], [2, 3]);
    for (const value of Object.values(await f.run(x))) expect(value.toArray()).toEqual(x.toArray());
  });

  it("say what is wrong with their options", () => {
    const group = parallel.group("all");
    const traced = (body: (x: Tensor) => Tensor) => compile(body).runSync(array([1, 2], [1, 2]));
    expect(() => traced((x) => parallel.allReduce(x, { group: "all" as never }))).toThrow(
      'parallel.allReduce: group must be made by parallel.group(name), got "all"',
    );
    expect(() => traced((x) => parallel.allGather(x, { group, sizes: [2] }))).toThrow(
      "all_gather: rank 0 takes 2 along axis 0, got f32 [1, 2]",
    );
    expect(() => traced((x) => parallel.send(x, { group, to: 0 }))).toThrow("send: to must be another rank");
    expect(() => parallel.group("pair", [[0], [0]])).toThrow("lists of ranks with each of 0 to 0 in one of them");
    expect(parallel.partsOf(7, 3)).toEqual([2, 2, 3]);
  });
});

// A rank of a pipeline holds weights, gradients and states of its own stages, and all weights when they are looked at.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { parallel } from "athanor";
import { launch, mpis } from "./launch.js";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "stages-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly memory: parallel.RankMemory;
  /** What reading the weights of other stages says during the steps. */
  readonly steps: readonly string[];
  /** Parameters and statistics that may be read during the steps, at a validation, after the run; and how many there are. */
  readonly here: number;
  readonly validation: number;
  readonly after: number;
  readonly count: number;
  /** Elements that are trained, and with running statistics. */
  readonly trained: number;
  readonly all: number;
}

describe.skipIf(mpis.length === 0)("what a rank of a pipeline holds", () => {
  it.each(mpis.flatMap((mpi) => [2, 4].map((ranks) => ({ mpi, ranks }))))(
    "is its stages while steps are taken: $mpi.name, $ranks ranks",
    { timeout: 300_000 },
    async ({ mpi, ranks }) => {
      const into = mkdtempSync(join(folder, "job-"));
      const job = await launch(mpi, { ranks, program: "rank-stages.ts", args: [into] });
      expect(job.code, job.stderr).toBe(0);
      const told = Array.from({ length: ranks }, (_, rank) => JSON.parse(readFileSync(join(into, `${ranks}-${rank}.json`), "utf8")) as Told); // prettier-ignore
      const sum = (pick: (each: Told) => number) => told.reduce((total, each) => total + pick(each), 0);
      const { trained, all, count } = told[0]!;
      // Every weight is on one rank, with its gradient and Adam's two states.
      expect(sum(({ memory }) => memory.parameters)).toBe(4 * all);
      expect(sum(({ memory }) => memory.states)).toBe(8 * trained);
      expect(sum(({ memory }) => memory.gradients)).toBe(4 * trained);
      expect(sum(({ here }) => here)).toBe(count);
      for (const { memory, steps, here, validation, after } of told) {
        // Eight layers alike: none has more than its part and a layer.
        const held = memory.parameters + memory.gradients + memory.states;
        expect(held / (16 * trained)).toBeLessThan(1 / ranks + 1 / 8);
        expect(validation).toBe(count);
        expect(after).toBe(count);
        expect(steps).toHaveLength(count - here);
        for (const sentence of steps) {
          expect(sentence).toMatch(
            /^UnsupportedError: .*".+" is not on this rank while the run takes its steps, as another stage of the pipeline has it; read it after a validation, .*$/,
          );
        }
      }
    },
  );
});

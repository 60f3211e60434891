// Tensor parallelism against the undivided model: losses, gradients, training, evaluation, and checkpoints whose tensors are whole.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nn, parallel, type Tensor } from "athanor";
import { models } from "./divided-models.js";
import { launch, mpis } from "./launch.js";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "tensor-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Compared {
  readonly plan: string;
  readonly size: { readonly model: number; readonly parts: readonly number[] };
  readonly loss: readonly [number, number];
  readonly gradients: number;
  readonly allReduces: { readonly calls: number; readonly sent: number };
  readonly losses: readonly [readonly number[], readonly number[]];
  readonly weights: number;
  readonly evaluated: readonly [{ readonly loss: number }, { readonly loss: number }];
  readonly resumed: number;
}

const near = (a: number, b: number): number => Math.abs(a - b) / Math.abs(b);

describe.skipIf(mpis.length === 0)("a divided model", () => {
  it.each(mpis.map((mpi, i) => ({ mpi, ranks: i === 0 ? 2 : 3 })))(
    "does what the whole one does: $mpi.name, $ranks ranks, uneven sizes",
    { timeout: 300_000 },
    async ({ mpi, ranks }) => {
      const into = mkdtempSync(join(folder, "job-"));
      const names = [...Object.keys(models), "transformer+sequence", ...(ranks === 2 ? ["tied+sequence"] : [])];
      const job = await launch(mpi, { ranks, program: "rank-tensor.ts", args: [into, names.join(",")] });
      expect(job.code, job.stderr).toBe(0);
      for (let rank = 0; rank < ranks; rank++) {
        const { results } = JSON.parse(readFileSync(join(into, `${rank}.json`), "utf8")) as {
          results: Record<string, Compared>;
        };
        for (const name of names) {
          const told = results[name]!;
          expect(near(told.loss[1], told.loss[0]), name).toBeLessThan(1e-6);
          expect(told.gradients, name).toBeLessThan(1e-5);
          told.losses[0].forEach((value, i) =>
            expect(near(told.losses[1][i]!, value), `${name} ${i}`).toBeLessThan(1e-5),
          );
          expect(told.losses[1]).toHaveLength(8);
          expect(told.weights, name).toBeLessThan(1e-5);
          expect(near(told.evaluated[1].loss, told.evaluated[0].loss), name).toBeLessThan(1e-5);
          expect(told.resumed, name).toBe(0);
          expect(Math.max(...told.size.parts), name).toBeLessThan(told.size.model);
        }
        expect(results.transformer!.plan).toMatch(/1\.attention +heads/);
        // Two in each direction for the block; the table, the loss (its largest score and its sums) and the outputs have one each.
        expect(results.transformer!.allReduces.calls).toBe(4 + 4);
        // 12 samples of 9 tokens: 24 features in the block's four, the table's and the outputs' sums, 1 + 2 numbers in the loss.
        const share = results.transformer!.allReduces.sent / (12 * 9 * 4 * (6 * 24 + 3));
        expect(share).toBeCloseTo((2 * (ranks - 1)) / ranks, 1);
      }
    },
  );
});

describe("a plan on one rank", () => {
  it("refuses to divide tokens where a whole layer looks at several of them", async () => {
    await parallel.connect();
    class Pooled extends nn.Module {
      tokens = nn.embedding(20, 8);
      head = nn.linear(8, 4);
      forward(x: Tensor): Tensor {
        return this.head.forward(this.tokens.forward(x).mean(1));
      }
    }
    const input = { dtype: "i32", shape: [6] } as const;
    expect(() => parallel.tensor(new Pooled(), { input, sequence: true })).toThrow(
      "parallel.tensor: sequence: mean looks at several tokens and stays whole",
    );
    const attends = nn.sequential(nn.embedding(20, 8), nn.attention({ dim: 8, heads: 2 }), nn.linear(8, 4));
    expect(() => parallel.tensor(attends, { input, sequence: true, keep: "1" })).toThrow(
      'attention_packed in layer "1" looks at several tokens and stays whole, as keep names "1.qkv.weight"',
    );
    const perceptron = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 3));
    expect(() => parallel.tensor(perceptron, { input: { dtype: "f32", shape: [4] }, sequence: true })).toThrow(
      "this model has no divided table of tokens",
    );
  });

  it("says what stays whole and why", async () => {
    await parallel.connect();
    const model = nn.sequential(nn.linear(4, 8), nn.dropout(0.5), nn.linear(8, 3));
    const plan = parallel.tensor(model, { input: { dtype: "f32", shape: [4] } });
    expect(plan.whole).toContainEqual({
      name: "0",
      reason: expect.stringContaining("draws a number for each of its units") as string,
    });
    const kept = parallel.tensor(nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 3)), {
      input: { dtype: "f32", shape: [4] },
      keep: "0",
    });
    expect(kept.whole).toContainEqual({ name: "0", reason: 'keep names "0.weight"' });
  });

  it("names what it was given instead of options", async () => {
    await parallel.connect();
    const model = nn.linear(4, 2);
    expect(() => parallel.tensor(model)).toThrow("its input is not known");
    expect(() => parallel.tensor(model, { size: 2, input: { dtype: "f32", shape: [4] } })).toThrow(
      "parallel.tensor: size must divide the number of ranks, 1, got 2",
    );
    expect(() => parallel.mesh({ data: 2, tensor: 2 })).toThrow(
      "parallel.mesh: data · tensor · pipeline must be the number of ranks, 1, got 2 · 2 · 1; start 4 ranks",
    );
    expect(String(parallel.mesh())).toBe(
      "mesh of 1 ranks: rank = (pipeline · 1 + data) · 1 + tensor\npipeline 1: [0]\ndata 1: [0]\ntensor 1: [0]",
    );
  });
});

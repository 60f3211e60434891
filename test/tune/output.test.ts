// What a search gives out while it runs and after: progress, tables, plain data.
import { describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { pause } from "./table.js";

describe("what a search gives out", () => {
  it("CSV and JSON", async () => {
    const study = await tune({ a: tune.choice(['say "hi", you', "b"]), g: { n: tune.int(1, 3) } }, (_, { params }) => params.g.n, { trials: 4, enqueue: [{ a: 'say "hi", you', g: { n: 2 } }] }); // prettier-ignore
    const [header, first] = study.toCSV().split("\r\n");
    expect(header).toBe("number,state,value,params.a,params.g.n,started,seconds,error");
    expect(first).toMatch(/^0,complete,2,"say ""hi"", you",2,\d{4}-/);
    const parsed = JSON.parse(JSON.stringify(study)) as { trials: { params: object }[] };
    expect(parsed.trials[0]?.params).toEqual({ a: 'say "hi", you', g: { n: 2 } });
  });

  it("CSV and JSON of trials that are not finite, are pruned and have constraints", async () => {
    const values = [1, NaN, -Infinity, 0.25];
    const study = await tune({ x: tune.uniform(0, 1) }, (trial) => {
      trial.constrain(trial.number - 1);
      for (const step of [0, 4]) trial.report(step, step === 4 ? values[trial.number]! : 7);
      return trial.number === 3 ? trial.prune() : values[trial.number]!;
    }, { trials: 4, constraints: 1 }); // prettier-ignore
    const rows = study
      .toCSV()
      .trimEnd()
      .split("\r\n")
      .map((row) => row.split(","));
    const column = (name: string) => rows.slice(1).map((row) => row[rows[0]!.indexOf(name)]);
    expect(column("value")).toEqual(["1", "", "-Infinity", ""]);
    expect(column("constraints.0")).toEqual(["-1", "0", "1", "2"]);
    expect(column("reports")).toEqual(["2", "2", "2", "2"]);
    expect(column("last.value")).toEqual(["1", "NaN", "-Infinity", "0.25"]);
    const { trials } = JSON.parse(JSON.stringify(study)) as { trials: { value?: unknown; intermediate: object[] }[] };
    expect(trials.map(({ value }) => value)).toEqual([1, undefined, "-Infinity", undefined]);
    expect(trials[1]?.intermediate).toEqual([
      { step: 0, value: 7 },
      { step: 4, value: "NaN" },
    ]);
  });

  it("shows progress as lines with the best value", async () => {
    const lines: string[] = [];
    await tune({ x: tune.uniform(-1, 1) }, (_, { params }) => params.x ** 2 + 1, {
      trials: 5,
      progress: { write: (text) => lines.push(text) },
      name: "bowl",
    });
    expect(lines.at(-1)).toMatch(/^bowl {2}5\/5 trials {2}best \d\.\d+ \(trial \d\) {2}in \d+\.\d s\n$/);
  });

  it.each([45, 60, 80, 200])(
    "on a terminal of %i columns a line fits, with best value and estimated end",
    async (columns) => {
      let text = "";
      const stream = { isTTY: true, columns, write: (more: string) => (text += more) };
      const objective = async (trial: { number: number }): Promise<number> => {
        await pause(30);
        if (trial.number % 2 === 1) throw new Error("odd");
        return trial.number / 7;
      };
      await tune({ x: tune.uniform(0, 1) }, objective, { trials: 16, concurrency: 2, failure: "continue", progress: stream, name: "s" }); // prettier-ignore
      const lines = text
        .split("\r\x1b[2K")
        .slice(1)
        .map((line) => line.split("\n")[0]!.split("\x1b")[0]!);
      expect(lines.every((line) => line.length < columns)).toBe(true);
      const midway = lines.filter((line) => / \d+\/16 trials/.test(line) && line.includes("best"));
      expect(midway.some((line) => /best 0 \(trial 0\).* {2}\d+\.\d s left$/.test(line))).toBe(true);
      expect(lines.at(-1)).toMatch(/^s {2}16\/16 trials {2}best 0 \(trial 0\)( {2}8 failed)? {2}in \d+\.\d s$/);
    },
  );
});

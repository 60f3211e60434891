// Studies of Optuna 5 (test/golden/optuna_studies.py wrote them, with what Optuna reads of them) come over as they are, and go on here.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { distributionOf } from "../../lib/tune/optuna/neutral.js";

const at = (name: string): string => new URL(`../golden/optuna/${name}`, import.meta.url).pathname;
interface Fact {
  readonly number: number;
  readonly state: "COMPLETE" | "PRUNED" | "FAIL" | "RUNNING" | "WAITING";
  readonly params: object;
  readonly values: (number | string)[] | null;
  readonly reports: [number, number | string][];
  readonly constraints: [string, number][];
  readonly attributes: object;
}
type Facts = Record<string, Record<string, { directions: string[]; attributes: object; trials: Fact[] }>>;
const facts = JSON.parse(readFileSync(at("studies.json"), "utf8")) as Facts;
const numberOf = (value: number | string): number => (typeof value === "number" ? value : Number(value.replace("inf", "Infinity"))); // prettier-ignore
const folder = mkdtempSync(join(tmpdir(), "athanor-optuna-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cases = Object.entries(facts).flatMap(([file, studies]) => Object.keys(studies).map((name) => [file, name] as const)); // prettier-ignore

describe.each(cases)("%s, study %s", (file, name) => {
  const known = facts[file]![name]!;

  it.each([undefined, join(folder, `${file}-${name}.db`)])(
    "has all that Optuna has of it (storage %s)",
    async (storage) => {
      const study = await tune.fromOptuna(at(file), { name, ...(storage === undefined ? {} : { storage }) });
      expect(study.name).toBe(name);
      expect(study.directions.map((direction) => direction.toUpperCase())).toEqual(known.directions);
      expect(study.attributes).toEqual(known.attributes);
      expect(study.trials).toHaveLength(known.trials.length);
      for (const [i, fact] of known.trials.entries()) {
        const trial = study.trials[i]!;
        const values = fact.state === "COMPLETE" ? fact.values!.map(numberOf) : [];
        const state = { COMPLETE: values.every(Number.isFinite) ? "complete" : "infinite", PRUNED: "pruned", FAIL: "failed", RUNNING: "waiting", WAITING: "waiting" }[fact.state]; // prettier-ignore
        expect([trial.number, trial.state]).toEqual([fact.number, state]);
        expect(trial.params).toEqual(fact.params);
        expect(trial.values).toEqual(values);
        expect(trial.intermediate).toEqual(fact.reports.map(([step, value]) => ({ step, value: numberOf(value) })));
        if (trial.state !== "waiting") expect(trial.constraints).toEqual(fact.constraints.map(([, value]) => value));
        expect(trial.attributes).toMatchObject(fact.attributes);
      }
    },
  );
});

describe("going on", () => {
  it("what was waiting or running there is done first, with what it was given; then new trials, which learn from the old", async () => {
    const study = await tune.fromOptuna(at("studies.db"), { name: "one" });
    const seen: [number, unknown][] = [];
    const more = await study.resume(
      (trial) => {
        const x = trial.suggest("x", tune.uniform(-2, 2));
        seen.push([trial.number, x]);
        trial.constrain(Math.abs(x) - 1.5, x - 1);
        return x ** 2;
      },
      { trials: 16, sampler: tune.tpe({ startup: 4 }), allow: ["sampler", "pruner"] },
    );
    expect(seen.map(([number]) => number)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    expect(seen[0]![1]).toBe(0.5); // enqueued there, and taken by a worker that never ended it
    expect(seen[1]![1]).toBe(-0.5); // enqueued there
    expect(more.trials).toHaveLength(16);
    expect(more.trials.every(({ state }) => state !== "waiting")).toBe(true);
  });

  it("its trials begin a typed space", async () => {
    const old = await tune.fromOptuna(at("studies.journal"), { name: "two" });
    const study = await tune({ x: tune.uniform(0, 1), y: tune.uniform(0, 1) }, (_, { params: { x, y } }) => [x, y * (1 - x)], { trials: 3, direction: ["minimize", "maximize"], warmStart: old }); // prettier-ignore
    expect(study.spec.past).toHaveLength(6);
  });
});

describe("refusals", () => {
  it.each([
    ["a name that is not there", () => tune.fromOptuna(at("studies.db"), { name: "three" }), /there is no study "three"; it has "one", "two"/],
    ["no name where there are several", () => tune.fromOptuna(at("studies.journal")), /say which study, \{ name \}; it has "one", "two"/],
    ["a file that is not there", () => tune.fromOptuna(join(folder, "no.db")), /cannot read .*no\.db \(ENOENT\)/],
    ["an unknown option", () => tune.fromOptuna(at("studies.db"), { nam: "one" } as never), /did you mean "name"/],
    ["lines that are no journal", () => tune.fromOptuna(new URL(import.meta.url).pathname), /line 1 is not of a journal/],
  ])("%s", async (_, act, message) => {
    await expect(act()).rejects.toThrow(message);
  }); // prettier-ignore

  it("a study that is there already", async () => {
    const storage = join(folder, "twice.db");
    await tune.fromOptuna(at("studies.db"), { name: "two", storage });
    await expect(tune.fromOptuna(at("studies.db"), { name: "two", storage })).rejects.toThrow(/has a study "two" already/); // prettier-ignore
    await expect(tune.fromOptuna(storage)).rejects.toThrow(/has no studies of Optuna/);
  });

  it.each([
    [{ op_code: 0, study_name: "a", directions: [0] }, /a direction that was never set/],
    [{ op_code: 77 }, /an operation 77 that is not known here/],
    [[{ op_code: 0, study_name: "a", directions: [1] }, { op_code: 4, study_id: 0 }, { op_code: 7, trial_id: 0, step: -1, intermediate_value: 1 }, { op_code: 6, trial_id: 0, state: 2 }], /a step below 0/],
    [[{ op_code: 0, study_name: "a", directions: [1] }, { op_code: 4, study_id: 0 }, { op_code: 6, trial_id: 0, state: 1, values: [1, 2] }], /complete with 2 of 1 values/],
  ])("%j", async (lines, message) => {
    const path = join(folder, "bad.log");
    writeFileSync(path, [lines].flat().map((line) => `${JSON.stringify(line)}\n`).join(""));
    await expect(tune.fromOptuna(path)).rejects.toThrow(message);
  }); // prettier-ignore

  it("a journal whose last line is being written is read up to it", async () => {
    const path = join(folder, "open.log");
    writeFileSync(path, `${readFileSync(at("studies.journal"), "utf8")}{"op_code":4,"study`);
    expect((await tune.fromOptuna(path, { name: "two" })).trials).toHaveLength(6);
  });

  it.each([
    ["FloatDistribution", { low: 0, high: 1, step: null, log: false }, tune.uniform(0, 1)],
    ["FloatDistribution", { low: 0, high: 1, step: 0.25, log: false }, tune.uniform(0, 1, { step: 0.25 })],
    ["FloatDistribution", { low: 0.1, high: 1, step: null, log: true }, tune.logUniform(0.1, 1)],
    ["UniformDistribution", { low: 0, high: 1 }, tune.uniform(0, 1)],
    ["LogUniformDistribution", { low: 0.1, high: 1 }, tune.logUniform(0.1, 1)],
    ["DiscreteUniformDistribution", { low: 0, high: 1, q: 0.5 }, tune.uniform(0, 1, { step: 0.5 })],
    ["IntDistribution", { low: 2, high: 8, step: 2, log: false }, tune.int(2, 8, { step: 2 })],
    ["IntDistribution", { low: 1, high: 64, step: 1, log: true }, tune.int(1, 64, { log: true })],
    ["IntUniformDistribution", { low: 1, high: 7, step: 3 }, tune.int(1, 7, { step: 3 })],
    ["IntLogUniformDistribution", { low: 1, high: 64, step: 1 }, tune.int(1, 64, { log: true })],
    ["CategoricalDistribution", { choices: ["a", null, true, 3, 2.5] }, tune.choice(["a", null, true, 3, 2.5])],
  ])("every kind of distribution: %s %j", (name, attributes, expected) => {
    expect(distributionOf("p", JSON.stringify({ name, attributes }))).toEqual(expected);
  });

  it("a distribution that is not known", () => {
    expect(() => distributionOf("p", '{"name": "BetaDistribution", "attributes": {}}')).toThrow(/"p" has a distribution that is not known here/); // prettier-ignore
  });
});

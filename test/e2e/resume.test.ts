// Runs that are killed end as runs that are not: the short form of `npm run test:resume`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stepsIn, underKills } from "../resume/kill.js";
import { run, scenarios, type Scenario } from "../resume/scenarios.js";

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "resume-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// A generator of one's own: the same kills in every run of the test.
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

describe.each(Object.keys(scenarios) as Scenario[])("a run killed at random moments: %s", (scenario) => {
  it("ends with the bits, history and best record of one that was left alone", { timeout: 300_000 }, async () => {
    const begun = performance.now();
    const dir = join(folder, scenario);
    const whole = await run(scenario, { dir, every: 17 });
    const span = performance.now() - begun;
    const steps = stepsIn(dir);
    // A run may be over before a kill falls due: as many runs as it takes, however fast the machine.
    const random = seeded(scenario.length * 7919);
    for (let killed = 0; killed < 5;) {
      const outcome = await underKills({
        scenario,
        kills: 5 - killed,
        every: 17,
        span,
        steps,
        random,
        threads: [2, 1, 3],
      });
      killed += outcome.killed;
      expect(JSON.parse(outcome.result)).toEqual(JSON.parse(whole));
    }
  });
});

// The whole form of the test of killed runs: `npm run test:resume [kills] [scenario …]`. By default every run is killed 100 times.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stepsIn, underKills } from "./kill.js";
import { run, scenarios, type Scenario } from "./scenarios.js";

const [count = "100", ...named] = process.argv.slice(2);
const names = named.length > 0 ? (named as Scenario[]) : (Object.keys(scenarios) as Scenario[]);
const every = 3;
let failed = 0;
for (const scenario of names) {
  const dir = mkdtempSync(join(tmpdir(), "resume-whole-"));
  const begun = performance.now();
  const whole = await run(scenario, { dir, every });
  const span = performance.now() - begun;
  const steps = stepsIn(dir);
  rmSync(dir, { recursive: true });
  const left = Number(count);
  const all = { kills: 0, processes: 0, advanced: 0, runs: 0 };
  let same = true;
  while (all.kills < left && same) {
    const kills = left - all.kills; // a run that ends before its last kill leaves some for another
    const first = kills > 10 ? span / 10 : span;
    const outcome = await underKills({ scenario, kills, every, span: first, steps, random: Math.random, threads: [2, 1, 3, 7] }); // prettier-ignore
    all.kills += outcome.killed;
    all.processes += outcome.processes;
    all.advanced += outcome.advanced;
    all.runs += 1;
    same = outcome.result === whole;
    if (!same) console.log(`${scenario}: expected ${whole}\n${scenario}: got ${outcome.result}`);
  }
  if (!same) failed += 1;
  const seconds = ((performance.now() - begun) / 1e3).toFixed(0);
  console.log(
    `${scenario}: ${same ? "same bits" : "DIFFERENT"} after ${all.kills} kills in ${all.runs} runs, ${all.processes} processes, ${all.advanced} of which got on, ${seconds} s`,
  );
}
console.log(`${names.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

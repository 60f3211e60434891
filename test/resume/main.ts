// The whole form of the test of killed runs: `npm run test:resume [kills] [scenario …]`. 100 kills of every run by default.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { underKills } from "./kill.js";
import { run, scenarios, type Scenario } from "./scenarios.js";

const [count = "100", ...named] = process.argv.slice(2);
const names = named.length > 0 ? (named as Scenario[]) : (Object.keys(scenarios) as Scenario[]);
let failed = 0;
for (const scenario of names) {
  const dir = mkdtempSync(join(tmpdir(), "resume-whole-"));
  const begun = performance.now();
  const whole = await run(scenario, { dir, every: 1_000_000 });
  const span = performance.now() - begun;
  rmSync(dir, { recursive: true });
  const left = Number(count);
  let kills = 0;
  let processes = 0;
  let runs = 0;
  let same = true;
  // A process that is killed again and again hardly gets on: some kills a run, as many runs as it takes.
  while (kills < left && same) {
    const outcome = await underKills({
      scenario,
      kills: Math.min(20, left - kills),
      every: 13,
      span,
      random: Math.random,
      threads: [2, 1, 3, 7],
    });
    kills += outcome.killed;
    processes += outcome.processes;
    runs += 1;
    same = outcome.result === whole;
  }
  if (!same) failed += 1;
  const seconds = ((performance.now() - begun) / 1e3).toFixed(0);
  console.log(
    `${scenario}: ${same ? "same bits" : "DIFFERENT"} after ${kills} kills in ${runs} runs, ${processes} processes, ${seconds} s`,
  );
}
console.log(`${names.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

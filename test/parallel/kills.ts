// Kills random ranks of supervised jobs at random moments, and compares the bits that they end with: npm run test:kill-ranks
//   KILLS=100 kills of each kind of job (pipeline, data), under every MPI in turn; SEED=1 the moments.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { supervise } from "../../lib/parallel/supervise.js";
import { mpis } from "./launch.js";

const wanted = Number(process.env.KILLS ?? 100);
let state = Number(process.env.SEED ?? 1);
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const kinds = (process.env.KINDS ?? "pipeline,data").split(",");
const steps = 4000;
const folder = mkdtempSync(join(tmpdir(), "kill-ranks-"));
const path = fileURLToPath(new URL("rank-kills.ts", import.meta.url));
const program = (into: string, by: string) => [process.execPath, "--import", "tsx", path, into, String(steps), by];
const resultOf = (into: string) => (JSON.parse(readFileSync(join(into, "result.json"), "utf8")) as { weights: string }).weights; // prettier-ignore

// One job; a rank is killed some milliseconds after it told that it trains, once each start, `kills` times at most.
async function killed(by: string, mpi: "openmpi" | "mpich", kills: number) {
  const into = mkdtempSync(join(folder, "job-"));
  const known = new Set<string>();
  let done = 0;
  const killer = setInterval(() => {
    for (const file of readdirSync(into).filter((name) => /^pid-\d+-\d+$/.test(name))) {
      const start = file.split("-")[1]!;
      if (known.has(start) || known.size >= kills) continue;
      known.add(start);
      const rank = Math.floor(random() * 2);
      setTimeout(() => {
        try {
          const text = readFileSync(join(into, `pid-${start}-${rank}`), "utf8");
          if (!/^\d+\n$/.test(text)) return; // half written: 0 would be this process and all that it started
          process.kill(Number(text), "SIGKILL");
          done += 1;
        } catch {
          // it had come to its end, or not yet to its first step
        }
      }, random() * 150);
    }
  }, 2);
  try {
    await supervise({ program: program(into, by), ranks: 2, mpi, restarts: kills + 5, pause: 1 });
  } finally {
    clearInterval(killer);
  }
  return { kills: done, weights: resultOf(into) };
}

let failed = false;
for (const by of kinds) {
  const whole = mkdtempSync(join(folder, "whole-"));
  await supervise({ program: program(whole, by), ranks: 2, mpi: mpis[0]!.name, restarts: 0 });
  const bits = resultOf(whole);
  let [kills, jobs, wrong] = [0, 0, 0];
  while (kills < wanted) {
    const job = await killed(by, mpis[jobs % mpis.length]!.name, Math.min(10, wanted - kills));
    jobs += 1;
    kills += job.kills;
    if (job.weights !== bits) wrong += 1;
    console.log(`${by}: ${kills} kills in ${jobs} jobs, ${wrong} of them ended with other bits`);
  }
  failed ||= wrong > 0;
}
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

// Every call to the system that a checkpoint is made of fails once, or is where the process is killed: the checkpoint of before is there
// untouched, the one before that goes only when the new one is sound, and what is said about it is true.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { callsIn, Victim } from "./system-calls.js";
import { addVersion, newestVersion } from "./versions.js";
import { compiled } from "../programs.js";

/** How {@link failingWrites} treats a process. */
export interface FailingWrites {
  /** A folder of its own. */
  readonly folder: string;
  readonly how: "ENOSPC" | "EIO" | "kill";
  /** Tries every call of that many. */
  readonly stride?: number;
}

/** What came of it. */
export interface FailingWritesResult {
  calls: number;
  tried: number;
  saved: number;
  failed: number;
  killed: number;
  /** What is not as it should be. */
  wrong: string[];
}

const contentOf = (dir: string): string =>
  ["state.json", "weights.safetensors"].map((name) => readFileSync(join(dir, name), "base64")).join(" ");

const pathOf = (dir: string, version: number): string => join(dir, `step-${String(version).padStart(9, "0")}`);

/** Writes a third checkpoint in all those ways. */
export async function failingWrites({ folder, how, stride = 1 }: FailingWrites): Promise<FailingWritesResult> {
  const result: FailingWritesResult = { calls: 0, tried: 0, saved: 0, failed: 0, killed: 0, wrong: [] };
  const template = join(folder, "template");
  await addVersion(template);
  await addVersion(template);
  const before = contentOf(pathOf(template, 2));
  const fresh = (name: string) => {
    const dir = join(folder, name);
    rmSync(dir, { recursive: true, force: true });
    cpSync(template, dir, { recursive: true });
    return dir;
  };
  let firsts = 0;
  const program = compiled(new URL("writer.ts", import.meta.url));
  const victim = new Victim(program, () => ({ dir: fresh(`first-${firsts++}`) }));
  const log = join(folder, "log");
  try {
    await victim.tell({ dir: fresh("observed") }, log, []);
    const all = callsIn(readFileSync(log, "utf8"));
    result.calls = all.length;
    for (const [name, at] of all.filter((_, i) => i % stride === 0)) {
      const dir = fresh("case");
      const action = how === "kill" ? "signal=SIGKILL" : `error=${how}`;
      const answer = await victim.tell({ dir }, log, [`${name}:${action}:when=${at}`]);
      result.tried++;
      const wrong = (what: string) => result.wrong.push(`${how} at ${name} ${at}: ${what} (${JSON.stringify(answer)})`);
      const first = existsSync(join(pathOf(dir, 1), "state.json"));
      if (contentOf(pathOf(dir, 2)) !== before) wrong("the checkpoint of before has changed");
      const newest = await newestVersion(dir).catch((thrown: unknown) => String(thrown));
      if (answer === "killed") result.killed++;
      else if ("saved" in answer) result.saved++;
      else result.failed++;
      const right = answer === "killed" ? [2, 3] : "saved" in answer ? [3] : [2];
      if (!(right as unknown[]).includes(newest)) wrong(`found ${newest}`);
      if (newest !== 3 && !first) wrong("the first is gone though there is no third");
      if (
        typeof answer === "object" &&
        "failed" in answer &&
        !/^\w+Error.*: train\.checkpoints: .*"/s.test(answer.failed)
      ) {
        wrong("not a sentence that names a file");
      }
      const next = await addVersion(dir);
      const strange = readdirSync(dir).filter((each) => !each.startsWith("step-"));
      if (next !== Number(newest) + 1 || strange.length > 0) wrong(`then ${next}, beside it ${strange.join(", ")}`);
    }
  } finally {
    victim.end();
  }
  return result;
}

// Every call that saving makes to the system fails once, or is where the process is killed, by strace: what lies there afterwards is
// the old artifact or the new one, whole, and what was said about it is true.
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifact, array, nn } from "athanor";
import { callsIn, Victim } from "../resume/system-calls.js";
import { compiled } from "../programs.js";

export interface FailureOptions {
  /** A folder of its own. */
  readonly folder: string;
  readonly how: "ENOSPC" | "EIO" | "kill";
  /** As on a file system that cannot swap folders. */
  readonly inside: boolean;
  /** Tries every call of that many. */
  readonly stride?: number;
}

export interface FailureResult {
  calls: number;
  tried: number;
  saved: number;
  failed: number;
  killed: number;
  /** What is not as it should be. */
  wrong: string[];
}

const model = nn.linear(16, 16, { bias: false });
async function saveOld(path: string): Promise<void> {
  model.weight.write(array(new Float32Array(256).fill(1), [16, 16]));
  await artifact.save(model, path, { input: { dtype: "f32", shape: [16] }, metadata: { version: "1" } });
}

async function versionAt(path: string): Promise<string> {
  using served = await artifact.load(path);
  const { version } = served.metadata;
  const { data } = served.readWeight(served.weights[0]!.name);
  return data.length === 256 && data.every((value) => value === Number(version)) ? version! : "mixture";
}

export async function everyFailure({ folder, how, inside, stride = 1 }: FailureOptions): Promise<FailureResult> {
  const result: FailureResult = { calls: 0, tried: 0, saved: 0, failed: 0, killed: 0, wrong: [] };
  const always = inside ? ["renameat2:error=EINVAL"] : [];
  let firsts = 0;
  const victim = new Victim(compiled(new URL("victim.ts", import.meta.url)), () => ({
    path: join(folder, "first", String(firsts++)),
    version: 0,
  }));
  const log = join(folder, "log");
  const placeOf = async (name: string) => {
    await mkdir(join(folder, name), { recursive: true });
    const path = join(folder, name, "model");
    await saveOld(path);
    return path;
  };
  try {
    await victim.tell({ path: await placeOf("observed"), version: 2 }, log, always);
    const all = callsIn(await readFile(log, "utf8"), inside ? ["renameat2"] : []);
    result.calls = all.length;
    for (const [name, at] of all.filter((_, i) => i % stride === 0)) {
      const path = await placeOf("case");
      const action = how === "kill" ? "signal=SIGKILL" : `error=${how}`;
      const answer = await victim.tell({ path, version: 2 }, log, [...always, `${name}:${action}:when=${at}`]);
      result.tried++;
      const wrong = (what: string) => result.wrong.push(`${how} at ${name} ${at}: ${what} (${JSON.stringify(answer)})`);
      const version = await versionAt(path).catch((thrown: unknown) => String(thrown));
      if (answer === "killed") result.killed++;
      else if ("saved" in answer) result.saved++;
      else result.failed++;
      const right =
        answer === "killed"
          ? ["1", "2"]
          : "saved" in answer || answer.failed.includes("is written, but")
            ? ["2"]
            : ["1"];
      if (!right.includes(version)) wrong(`found ${version}`);
      if (typeof answer === "object" && "failed" in answer && !/^\w+Error.*: artifact\.save: /s.test(answer.failed)) {
        wrong("not a sentence");
      }
      await saveOld(path);
      const beside = await readdir(join(path, ".."));
      if (String(beside) !== "model") wrong(`left ${beside.join(", ")}`);
      await rm(join(folder, "case"), { recursive: true });
    }
  } finally {
    victim.end();
  }
  return result;
}

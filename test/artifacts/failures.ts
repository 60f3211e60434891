// Every call that saving makes to the system fails once, or is where the process is killed, by strace: what lies there afterwards is
// the old artifact or the new one, whole, and what was said about it is true.
import { execFileSync, fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { artifact, array, nn } from "athanor";

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

const calls =
  "openat,mkdir,mkdirat,write,pwrite64,fsync,rename,renameat,renameat2,unlink,unlinkat,rmdir,flock,getdents64,stat,lstat,fstat,newfstatat,statx,statfs,fstatfs,fchmod,close,read,pread64,faccessat,faccessat2,readlink,getcwd";

/** Whether strace is here and may be used. */
export function canTrace(): boolean {
  try {
    execFileSync("strace", ["-qq", "-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

type Answer = { saved: true } | { failed: string } | "killed";

class Victim {
  private child: ChildProcess | undefined;

  async save(path: string, version: number, log: string, injections: readonly string[]): Promise<Answer> {
    const alive = this.child?.exitCode === null && this.child.signalCode === null;
    const child = alive ? this.child! : await this.begin(path);
    const threads = (await readdir(`/proc/${child.pid}/task`)).filter((id) => id !== String(child.pid));
    const inject = injections.flatMap((injection) => ["-e", `inject=${injection}`]);
    const targets = threads.flatMap((id) => ["-p", id]);
    const trace = spawn("strace", ["-o", log, "-e", `trace=${calls}`, ...inject, ...targets], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    await attached(trace, threads.length);
    const answer = await new Promise<Answer>((resolve) => {
      child.once("message", (message) => resolve(message as Answer));
      child.once("exit", () => resolve("killed"));
      child.send({ path, version });
    });
    child.removeAllListeners("message").removeAllListeners("exit");
    trace.kill("SIGINT");
    if (trace.exitCode === null && trace.signalCode === null) await once(trace, "exit");
    return answer;
  }

  /** The first save makes the threads that the later ones use. */
  private async begin(path: string): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("victim.ts", import.meta.url)), { execArgv: ["--import", "tsx"] });
    this.child = child;
    await once(child, "message");
    child.send({ path: join(path, "..", "..", "first", String(child.pid)), version: 0 });
    await once(child, "message");
    return child;
  }

  end(): void {
    this.child?.kill("SIGKILL");
  }
}

function attached(trace: ChildProcess, count: number): Promise<void> {
  let seen = "";
  return new Promise((resolve, reject) => {
    trace.stderr!.on("data", (part: Buffer) => {
      seen += part.toString();
      if (seen.split(" attached").length > count) resolve();
    });
    trace.once("exit", () => reject(new Error(`strace ended: ${seen}`)));
  });
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

/** How often each thread makes each call, the most of all threads. */
function counted(log: string): Map<string, number> {
  const byThread = new Map<string, number>();
  for (const [, thread, name] of log.matchAll(/^(\d+) +(\w+)\(/gm)) {
    byThread.set(`${thread} ${name}`, (byThread.get(`${thread} ${name}`) ?? 0) + 1);
  }
  const most = new Map<string, number>();
  for (const [key, count] of byThread) {
    const name = key.split(" ")[1]!;
    most.set(name, Math.max(most.get(name) ?? 0, count));
  }
  return most;
}

export async function everyFailure({ folder, how, inside, stride = 1 }: FailureOptions): Promise<FailureResult> {
  const result: FailureResult = { calls: 0, tried: 0, saved: 0, failed: 0, killed: 0, wrong: [] };
  const always = inside ? ["renameat2:error=EINVAL"] : [];
  const victim = new Victim();
  const log = join(folder, "log");
  const placeOf = async (name: string) => {
    await mkdir(join(folder, name), { recursive: true });
    const path = join(folder, name, "model");
    await saveOld(path);
    return path;
  };
  try {
    await victim.save(await placeOf("observed"), 2, log, always);
    const found = counted(await readFile(log, "utf8"));
    if (inside) found.delete("renameat2");
    const all = [...found].flatMap(([name, count]) => Array.from({ length: count }, (_, i) => [name, i + 1] as const));
    result.calls = all.length;
    for (const [name, at] of all.filter((_, i) => i % stride === 0)) {
      const path = await placeOf("case");
      const action = how === "kill" ? "signal=SIGKILL" : `error=${how}`;
      const answer = await victim.save(path, 2, log, [...always, `${name}:${action}:when=${at}`]);
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

// A process whose calls to the system are watched, made to fail, or are where it is killed: strace attached to its threads.
import { execFileSync, fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";

/** Calls that writing and reading files is made of. */
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

/** What the process says to an order. */
export type Answer = { readonly saved: true } | { readonly failed: string } | "killed";

/** A process that does what it is told by messages, and answers each with an {@link Answer}. It is started anew when it was killed. */
export class Victim<Order extends object> {
  private child: ChildProcess | undefined;
  private readonly program: string;
  private readonly first: () => Order;

  /**
   * @param program the path of what it runs; it says "ready" when it has begun.
   * @param first an order that makes the threads which later ones use.
   */
  constructor(program: string, first: () => Order) {
    this.program = program;
    this.first = first;
  }

  /**
   * Gives an order and watches what it does to the system.
   *
   * @param log where strace writes the calls.
   * @param injections in strace's own words, such as "write:error=ENOSPC:when=2".
   */
  async tell(order: Order, log: string, injections: readonly string[]): Promise<Answer> {
    const alive = this.child?.exitCode === null && this.child.signalCode === null;
    const child = alive ? this.child! : await this.begin();
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
      child.send(order);
    });
    child.removeAllListeners("message").removeAllListeners("exit");
    trace.kill("SIGINT");
    if (trace.exitCode === null && trace.signalCode === null) await once(trace, "exit");
    return answer;
  }

  end(): void {
    this.child?.kill("SIGKILL");
  }

  private async begin(): Promise<ChildProcess> {
    const child = fork(this.program);
    this.child = child;
    await once(child, "message");
    child.send(this.first());
    await once(child, "message");
    return child;
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

/** The calls in a log, each with its place among those of its name, in the thread that makes the most of them. */
export function callsIn(log: string, without: readonly string[] = []): (readonly [name: string, at: number])[] {
  const byThread = new Map<string, number>();
  for (const [, thread, name] of log.matchAll(/^(\d+) +(\w+)\(/gm)) {
    byThread.set(`${thread} ${name}`, (byThread.get(`${thread} ${name}`) ?? 0) + 1);
  }
  const most = new Map<string, number>();
  for (const [key, count] of byThread) {
    const name = key.split(" ")[1]!;
    most.set(name, Math.max(most.get(name) ?? 0, count));
  }
  for (const name of without) most.delete(name);
  return [...most].flatMap(([name, count]) => Array.from({ length: count }, (_, i) => [name, i + 1] as const));
}

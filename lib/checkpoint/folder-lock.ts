// Keeps two runs from writing their checkpoints to one folder: a file says which process does. It counts only while that process is known to
// live, on this machine and where its number means the same: what a killed process left, or a machine that is gone, keeps nobody out.
import { readFile, readlink, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { FileError } from "../errors.js";

/** The process that writes to a folder. */
interface Holder {
  /** The machine since its start, and the name space of process numbers. */
  readonly place: string;
  readonly pid: number;
  /** When the process was begun: another one may have its number by now. */
  readonly begun: string;
  /** Of this lock and no other. */
  readonly token: string;
}

const name = "lock.json";
/** How long a process that writes may take to end, in milliseconds: one that was just killed, or whose job was, is still there for a while. */
const patience = 5000;
let locks = 0;

/** A folder that is kept from others. */
export class FolderLock {
  private readonly path: string;
  private readonly token: string;

  private constructor(path: string, token: string) {
    this.path = path;
    this.token = token;
  }

  /**
   * Locks a folder; undefined where the lock cannot be written.
   *
   * @throws FileError if another run holds it, of this process or another.
   */
  static async take(where: string, dir: string): Promise<FolderLock | undefined> {
    const path = join(dir, name);
    const token = `${process.pid} ${locks++} ${process.hrtime.bigint()}`;
    const own: Holder = { place: await place(), pid: process.pid, begun: await begunAt(process.pid), token };
    const lock = new FolderLock(path, token);
    for (let tries = 0; tries < 3; tries++) {
      try {
        await writeFile(path, JSON.stringify(own), { flag: "wx" });
        return lock;
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") {
          await lock.release(); // of what was written of it
          return undefined;
        }
      }
      const holder = await holderOf(path);
      if (holder && !(await hasEnded(path, holder))) throw refused(where, dir, holder);
      await rm(path, { force: true }).catch(() => undefined); // of a process that is gone
    }
    return undefined;
  }

  /** Gives the folder free. */
  async release(): Promise<void> {
    const holder = await holderOf(this.path);
    if (holder && holder.token !== this.token) return; // another machine has taken it
    await rm(this.path, { force: true }).catch(() => writeFile(this.path, "").catch(() => undefined));
  }
}

function refused(where: string, dir: string, { pid }: Holder): FileError {
  const who = pid === process.pid ? "another run of this process" : `process ${pid}`;
  return new FileError(
    `${where}: ${who} is writing its checkpoints to "${dir}"; wait until that run has ended (of a loop of your own: until its checkpoints were closed), or give checkpoint.dir another folder`,
  );
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

/** Whether a holder is gone or has given its folder free, or does so soon. */
async function hasEnded(path: string, holder: Holder): Promise<boolean> {
  const until = performance.now() + (holder.pid === process.pid ? 0 : patience);
  while (await isAlive(holder)) {
    if (performance.now() >= until) return false;
    await after(50);
    if ((await holderOf(path))?.token !== holder.token) return true;
  }
  return true;
}

async function isAlive({ place: then, pid, begun }: Holder): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid < 1 || then !== (await place())) return false;
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return (await begunAt(pid)) === begun;
}

async function place(): Promise<string> {
  const [boot, space] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
    readlink("/proc/self/ns/pid").catch(() => ""),
  ]);
  return `${hostname()} ${boot.trim()} ${space}`;
}

// Ticks since the machine's start, the 22nd field; the second is a name in parentheses, which may hold anything. Empty for a process that
// has ended and that its parent has not asked about yet (the third field).
async function begunAt(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

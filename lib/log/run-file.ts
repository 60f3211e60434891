// The file that says what a run is: run.json in its folder, for people, reports and the command line.
import { requirePath } from "../guidance/arguments.js";
import { execFile } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { arch, cpus, hostname, platform, release, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { CorruptFileError, FileError } from "../errors.js";
import { addon } from "../native/index.js";

/** What run.json holds. */
export interface RunFile {
  readonly format: "athanor-run";
  readonly version: 1;
  readonly status: "running" | "done" | "early" | "diverged" | "break" | "time" | "interrupted" | "failed";
  /** ISO 8601, of the first process of the run. */
  readonly begun: string;
  readonly updated: string;
  /** When a process went on from a checkpoint, and from which step. */
  readonly resumed: readonly { readonly at: string; readonly step: number }[];
  readonly seed: number;
  /** What the run was asked for. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly model: { readonly parameters: number; readonly layers: Readonly<Record<string, string>> };
  /** What it trains on, with a fingerprint. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly versions: { readonly athanor: string; readonly node: string; readonly v8: string };
  readonly machine: {
    readonly host: string;
    readonly system: string;
    readonly cpu: string;
    readonly cores: number;
    readonly memory: number;
    readonly isa: string;
    readonly threads: number;
  };
  /** The commit of the folder that the process ran in, and whether files differ from it; null outside of git. */
  readonly git: { readonly commit: string; readonly dirty: boolean } | null;
  readonly command: readonly string[];
  /** How it ended. */
  readonly result?: Readonly<Record<string, unknown>> | undefined;
  /** Why it failed. */
  readonly error?: string | undefined;
}

const name = "run.json";

/** What is the same for every run of this process. */
export async function surroundings(): Promise<Pick<RunFile, "versions" | "machine" | "git" | "command">> {
  const all = cpus();
  return {
    versions: { athanor: addon.version, node: process.version, v8: process.versions.v8 },
    machine: {
      host: hostname(),
      system: `${platform()} ${release()} ${arch()}`,
      cpu: all[0]?.model ?? "unknown",
      cores: all.length,
      memory: totalmem(),
      isa: addon.isa(),
      threads: addon.threads(),
    },
    git: await gitState(),
    command: process.argv.slice(1),
  };
}

const run = promisify(execFile);

async function gitState(): Promise<RunFile["git"]> {
  try {
    const options = { timeout: 2000 };
    const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], options);
    const { stdout: changes } = await run("git", ["status", "--porcelain", "--untracked-files=no"], options);
    return { commit: commit.trim(), dirty: changes.trim() !== "" };
  } catch {
    return null;
  }
}

/** Writes run.json, at once or not at all. @throws FileError */
export async function writeRunFile(where: string, dir: string, file: RunFile): Promise<void> {
  requirePath(where, dir, "runs/digits");
  try {
    await mkdir(resolve(dir), { recursive: true });
    const path = join(dir, name);
    await writeFile(`${path}.part`, `${JSON.stringify(file, undefined, 2)}\n`);
    await rename(`${path}.part`, path);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new FileError(`${where}: "${join(dir, name)}" cannot be written (${code})`, { cause: thrown });
  }
}

/** Reads run.json; undefined where there is none. @throws CorruptFileError */
export async function readRunFile(where: string, dir: string): Promise<RunFile | undefined> {
  requirePath(where, dir, "runs/digits");
  const path = join(dir, name);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const file = JSON.parse(text) as RunFile;
    if (file.format === "athanor-run") return file;
  } catch {
    // told below
  }
  throw new CorruptFileError(`${where}: "${path}" is not what a run writes; is it another program's?`);
}

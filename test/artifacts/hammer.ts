// Processes that load one artifact while others save it and are killed at random.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { artifact, nn } from "athanor";
import { compiled } from "../programs.js";

export interface HammerOptions {
  /** Where the artifact is made; a folder of its own. */
  readonly folder: string;
  readonly loaders: number;
  /** Of all loaders together. */
  readonly loads: number;
  readonly savers: number;
  readonly seed: number;
}

export interface HammerResult {
  loads: number;
  /** Changes of the version that loaders saw. */
  versions: number;
  mixtures: number;
  errors: Record<string, number>;
  kills: number;
  /** What lies beside the artifact in the end, and in it. */
  beside: string[];
  files: string[];
  /** Drafts that were found beside it after a kill, before another swept them. */
  drafts: number;
}

const program = (name: string, ...values: (string | number)[]): ChildProcess =>
  spawn(process.execPath, [compiled(new URL(name, import.meta.url)), ...values.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });

async function textOf(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout!.on("data", (part: Buffer) => (text += part.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`a loader ended with ${code}`);
  return text;
}

export async function hammer({ folder, loaders, loads, savers, seed }: HammerOptions): Promise<HammerResult> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "model");
  const result: HammerResult = {
    loads: 0,
    versions: 0,
    mixtures: 0,
    errors: {},
    kills: 0,
    beside: [],
    files: [],
    drafts: 0,
  };
  let random = seed;
  const next = () => (random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff) / 0x80000000;
  let done = false;
  let version = 1;
  const keepSaving = async () => {
    while (!done) {
      const child = program("saver.ts", path, version++, 1000);
      const ended = once(child, "close");
      await Promise.race([once(child.stdout!, "data"), ended]);
      for (const until = Date.now() + 30 + 400 * next(); Date.now() < until && !done;) {
        await new Promise((later) => setTimeout(later, 1 + 20 * next()));
      }
      if (child.exitCode !== null) result.errors["a saver ended by itself"] = child.exitCode;
      child.kill("SIGKILL");
      await ended;
      result.kills++;
      result.drafts += (await readdir(folder)).filter((name) => name.startsWith(".")).length;
    }
  };
  const first = program("saver.ts", path, 0, 1000); // there is an artifact before anyone loads
  await once(first.stdout!, "data");
  first.kill("SIGKILL");
  await once(first, "close");
  const saving = Array.from({ length: savers }, keepSaving);
  const texts = await Promise.all(
    Array.from({ length: loaders }, () => textOf(program("loader.ts", path, Math.ceil(loads / loaders)))),
  );
  done = true;
  await Promise.all(saving);
  for (const text of texts) {
    const seen = JSON.parse(text) as HammerResult;
    result.loads += seen.loads;
    result.versions += seen.versions;
    result.mixtures += seen.mixtures;
    for (const [message, count] of Object.entries(seen.errors)) {
      result.errors[message] = (result.errors[message] ?? 0) + count;
    }
  }
  // The next who saves clears up.
  await artifact.save(nn.linear(2, 2), path, { input: { dtype: "f32", shape: [2] } });
  result.beside = await readdir(folder);
  result.files = (await readdir(path)).sort();
  return result;
}

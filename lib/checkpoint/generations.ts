// A folder of checkpoints: one folder a generation, `step-000001200`, which appears whole or not at all. The newest that is sound
// counts; older ones go when there are more than are kept.
import { mkdir, readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { ArgumentError, CorruptFileError, FileError, UnsupportedError } from "../errors.js";
import { addon, callAsync, type NativeVariable } from "../native/index.js";
import { readJson, writeJson } from "./json.js";

/** The version of the format that this build writes. */
export const formatVersion = 1;

/** A checkpoint on the disk. */
export interface Generation {
  /** Steps taken until it. */
  readonly step: number;
  readonly path: string;
}

/** A generation that has been read and is sound; its tensors are read by {@link Opened.read}. */
export interface Opened<Content> extends Generation {
  readonly content: Content;
  /** The names of its tensors. */
  readonly tensors: readonly string[];
  /** Reads the tensors into variables: all of them, or none. @throws CorruptFileError, ShapeError */
  read(tensors: ReadonlyMap<string, NativeVariable>): Promise<void>;
}

interface Envelope<Content> {
  readonly format: "athanor-checkpoint";
  readonly version: number;
  readonly tensors: readonly string[];
  readonly content: Content;
}

const nameOf = (step: number): string => `step-${String(step).padStart(9, "0")}`;
const pattern = /^step-(\d{9,15})$/;

/** The checkpoints of one run. `Content` is what they hold beside tensors. */
export class Generations<Content> {
  readonly dir: string;
  private readonly where: string;

  constructor(where: string, dir: string) {
    this.where = where;
    this.dir = resolve(dir);
  }

  /** The checkpoint that lies at a path, whatever it is called. */
  at(path: string): Generation {
    return { step: Number(pattern.exec(basename(path))?.[1] ?? 0), path };
  }

  /** Those that are there, the newest first. @throws FileError */
  async list(): Promise<Generation[]> {
    const names = await readdir(this.dir).catch((thrown: unknown) => {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code === "ENOENT") return [];
      throw new FileError(`${this.where}: the checkpoints in "${this.dir}" cannot be listed (${code})`, {
        cause: thrown,
      });
    });
    return names
      .flatMap((name) => {
        const step = pattern.exec(name)?.[1];
        return step === undefined ? [] : [{ step: Number(step), path: join(this.dir, name) }];
      })
      .sort((a, b) => b.step - a.step);
  }

  /** Writes one; it is there when this resolves. @throws FileError, with the older ones as they were. */
  async write(step: number, content: Content, tensors: ReadonlyMap<string, NativeVariable>): Promise<Generation> {
    const path = join(this.dir, nameOf(step));
    const names = [...tensors.keys()];
    const envelope: Envelope<Content> = {
      format: "athanor-checkpoint",
      version: formatVersion,
      tensors: names,
      content,
    };
    const json = writeJson(envelope); // now: the run goes on and changes what it is made of
    try {
      await mkdir(this.dir, { recursive: true });
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      throw new FileError(`${this.where}: the folder "${this.dir}" cannot be made (${code})`, { cause: thrown });
    }
    await callAsync(() => addon.writeState(path, json, names, [...tensors.values()], this.where));
    return { step, path };
  }

  /** Opens one. @throws CorruptFileError, FileError, UnsupportedError */
  async open({ step, path }: Generation): Promise<Opened<Content>> {
    const text = await callAsync(() => addon.readState(path, this.where));
    const envelope = this.parse(path, text);
    const read = async (tensors: ReadonlyMap<string, NativeVariable>): Promise<void> => {
      const strange = envelope.tensors.find((name) => !tensors.has(name));
      if (strange !== undefined) {
        throw new ArgumentError(
          `${this.where}: the checkpoint "${path}" holds "${strange}", which this run does not have`,
        );
      }
      await callAsync(() => addon.readVariables(path, [...tensors.keys()], [...tensors.values()], this.where));
    };
    return { step, path, content: envelope.content, tensors: envelope.tensors, read };
  }

  /**
   * The newest that is sound; undefined where there is none.
   *
   * @param damaged told of every newer one that is not.
   * @throws FileError; the CorruptFileError of the newest if all are damaged.
   */
  async newest(damaged: (error: CorruptFileError) => void): Promise<Opened<Content> | undefined> {
    let first: CorruptFileError | undefined;
    for (const generation of await this.list()) {
      try {
        return await this.open(generation);
      } catch (thrown) {
        if (!(thrown instanceof CorruptFileError)) throw thrown;
        first ??= thrown;
        damaged(thrown);
      }
    }
    if (first) throw first;
    return undefined;
  }

  /** Removes the oldest beyond `keep`, but none of `spared`. */
  async prune(keep: number, spared: ReadonlySet<number>): Promise<void> {
    const old = (await this.list()).filter(({ step }) => !spared.has(step)).slice(keep);
    for (const { path } of old) await callAsync(() => addon.removeState(path));
  }

  private parse(path: string, text: string): Envelope<Content> {
    const damaged = (what: string, cause?: unknown) =>
      new CorruptFileError(`${this.where}: the checkpoint "${path}" is damaged: ${what}`, { cause });
    let value: unknown;
    try {
      value = readJson(text);
    } catch (thrown) {
      throw damaged(`its state is not JSON (${(thrown as Error).message})`, thrown);
    }
    const envelope = value as Partial<Envelope<Content>> | null;
    if (envelope?.format !== "athanor-checkpoint") throw damaged('it does not say "format": "athanor-checkpoint"');
    if (envelope.version !== formatVersion) {
      throw new UnsupportedError(
        `${this.where}: the checkpoint "${path}" has version ${String(envelope.version)} of the format, this build reads version ${formatVersion}; update athanor`,
      );
    }
    if (typeof envelope.content !== "object" || !Array.isArray(envelope.tensors)) throw damaged("it has no content");
    return envelope as Envelope<Content>;
  }
}

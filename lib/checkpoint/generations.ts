// A folder of checkpoints: one folder a generation, `step-000001200`, which appears whole or not at all. The newest that is sound
// counts; older ones go when there are more than are kept.
import { constants } from "node:fs";
import { access, mkdir, readdir, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ArgumentError, CorruptFileError, FileError, UnsupportedError } from "../errors.js";
import { addon, callAsync, type NativeVariable } from "../native/index.js";
import { FolderLock } from "./folder-lock.js";
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
  read(tensors: ReadonlyMap<string, NativeVariable>, isElsewhere?: (name: string) => boolean): Promise<void>;
}

interface Envelope<Content> {
  readonly format: "athanor-checkpoint";
  readonly version: number;
  readonly tensors: readonly string[];
  readonly content: Content;
}

/** Checkpoints that were put aside; see {@link Generations.setAside}. */
export interface SetAside {
  readonly steps: readonly number[];
  /** What their names begin with now. */
  readonly prefix: string;
}

const nameOf = (step: number): string => `step-${String(step).padStart(9, "0")}`;
const pattern = /^step-(\d{9,15})$/;

/** The checkpoints of one run. `Content` is what they hold beside tensors. */
export class Generations<Content> {
  readonly dir: string;
  private readonly where: string;
  private lock: FolderLock | undefined;

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
    await this.makeFolder();
    await callAsync(() => addon.writeState(path, json, names, [...tensors.values()], this.where));
    return { step, path };
  }

  /** Opens one. @throws CorruptFileError, FileError, UnsupportedError */
  async open({ step, path }: Generation): Promise<Opened<Content>> {
    const text = await callAsync(() => addon.readState(path, this.where));
    const envelope = this.parse(path, text);
    const read: Opened<Content>["read"] = async (tensors, isElsewhere = () => false) => {
      const strange = envelope.tensors.find((name) => !tensors.has(name) && !isElsewhere(name));
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
   * The newest that is sound; undefined where there is none at all.
   *
   * @returns with what is wrong with every newer one.
   * @throws FileError; CorruptFileError if all are damaged.
   */
  async newest(): Promise<
    { readonly opened: Opened<Content>; readonly damaged: readonly CorruptFileError[] } | undefined
  > {
    const damaged: CorruptFileError[] = [];
    for (const generation of await this.list()) {
      try {
        return { opened: await this.open(generation), damaged };
      } catch (thrown) {
        if (!(thrown instanceof CorruptFileError)) throw thrown;
        damaged.push(thrown);
      }
    }
    const [first, ...others] = damaged;
    if (!first) return undefined;
    const more = others.length === 0 ? "it is the only one" : `so are the ${others.length} before it`;
    throw new CorruptFileError(
      `${first.message}; ${more} in "${this.dir}". resume: false begins anew and leaves them aside`,
      { cause: first },
    );
  }

  /**
   * Makes the folder where it is missing, makes sure that it can be written, and keeps it from other runs until {@link release} or the
   * end of the process.
   *
   * @throws FileError
   */
  async prepare(): Promise<void> {
    await this.makeFolder();
    try {
      await access(this.dir, constants.W_OK | constants.X_OK);
    } catch (thrown) {
      throw this.refused("cannot be written", thrown, "give checkpoint.dir a folder that can, or leave checkpoint out");
    }
    this.lock ??= await FolderLock.take(this.where, this.dir);
  }

  /** Gives the folder free for other runs. */
  async release(): Promise<void> {
    const { lock } = this;
    this.lock = undefined;
    await lock?.release();
  }

  /**
   * Puts those aside that do not lead to where a run begins: damaged ones, later ones, another run's. They keep what they hold under
   * another name, so that none of them is taken for newer than what the run writes or stands where it writes.
   *
   * @param from the checkpoint that the run goes on from; undefined for a run that begins.
   * @returns what was put aside; undefined for nothing.
   * @throws FileError
   */
  async setAside(from: Generation | undefined): Promise<SetAside | undefined> {
    const isOwn = from !== undefined && resolve(dirname(from.path)) === this.dir;
    const strangers = (await this.list()).filter(({ step }) => !isOwn || step > from.step);
    if (strangers.length === 0) return undefined;
    const used = (await readdir(this.dir)).flatMap((name) => Number(/^aside-(\d+)-/.exec(name)?.[1] ?? 0));
    const prefix = `aside-${Math.max(0, ...used) + 1}-`;
    for (const { path } of strangers) {
      const place = join(this.dir, prefix + basename(path));
      await rename(path, place).catch((thrown: unknown) => {
        throw this.refused(`holds "${basename(path)}", which cannot be renamed`, thrown, "give another folder");
      });
    }
    return { steps: strangers.map(({ step }) => step).reverse(), prefix };
  }

  /** Removes the oldest beyond `keep`, but none of `spared`. @throws FileError where the folder cannot be listed. */
  async prune(keep: number, spared: ReadonlySet<number>): Promise<void> {
    const old = (await this.list()).filter(({ step }) => !spared.has(step)).slice(keep);
    for (const { path } of old) await callAsync(() => addon.removeState(path));
  }

  private async makeFolder(): Promise<void> {
    try {
      await mkdir(this.dir, { recursive: true });
    } catch (thrown) {
      throw this.refused("cannot be made", thrown, "give checkpoint.dir another folder");
    }
  }

  private refused(what: string, cause: unknown, way: string): FileError {
    const { code } = cause as NodeJS.ErrnoException;
    return new FileError(`${this.where}: the folder "${this.dir}" ${what} (${code}); ${way}`, { cause });
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

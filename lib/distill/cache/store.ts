// Scores on disk: a folder with cache.json (what they are of and how they are kept) and one file for every so many samples,
// 00000.scores and on. Each file appears whole or not at all and ends in a SHA-256 of what it is of and its content, so that work
// that was cut off goes on where it stood, and a file that was cut, changed or moved in from elsewhere is found out.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ArgumentError, AthanorError, CorruptFileError, FileError } from "../../errors.js";
import { decode, encode, encodedBytes, type Encoding } from "./codec.js";

/** What a folder of scores is of. */
export interface StoreKey extends Encoding {
  /** Fingerprints. */
  readonly model: string;
  readonly data: string;
  /** Samples. */
  readonly rows: number;
  /** Groups of C scores that a sample has. */
  readonly groups: number;
}

const format = "athanor-scores";
const version = 1;
const digestBytes = 32;
const mostManifestBytes = 4096;
const draftName = /^(cache\.json|\d+\.scores)\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const draftMinutes = 10; // a file is written in seconds

/** A folder of scores. */
export class Store {
  /** Samples of a file. */
  static readonly shardRows = 4096;
  private readonly folder: string;
  private readonly where: string;
  private readonly key: StoreKey;

  private constructor(where: string, folder: string, key: StoreKey) {
    this.where = where;
    this.folder = folder;
    this.key = key;
  }

  /**
   * A folder of just these scores, made if it is not there.
   *
   * @throws ArgumentError if it holds others; CorruptFileError, FileError.
   */
  static async open(where: string, folder: string, key: StoreKey): Promise<Store> {
    const file = join(folder, "cache.json");
    await sweep(folder);
    const text = await readManifest(where, file);
    if (text === undefined) {
      await writeWhole(where, file, Buffer.from(`${JSON.stringify({ format, version, ...key })}\n`));
    } else {
      compare(where, folder, file, text, key);
    }
    return new Store(where, folder, key);
  }

  /** Files of the folder when it is complete. */
  get shards(): number {
    return Math.ceil(this.key.rows / Store.shardRows);
  }

  /** First sample of a file, and the one after its last. */
  range(shard: number): readonly [first: number, end: number] {
    return [shard * Store.shardRows, Math.min(this.key.rows, (shard + 1) * Store.shardRows)];
  }

  /** Reads a file's scores into place; false if it is not there yet. @throws CorruptFileError, FileError */
  async read(shard: number, scores: Float32Array): Promise<boolean> {
    const file = this.file(shard);
    const wanted = encodedBytes(this.key, scores.length / this.key.classes);
    const bytes = await readWhole(this.where, file, wanted + digestBytes);
    if (!bytes) return false;
    const content = bytes.subarray(0, wanted);
    if (!this.digest(shard, content).equals(bytes.subarray(wanted))) {
      throw damaged(this.where, file, "its checksum does not fit; it was changed, or belongs to another folder");
    }
    decode(`${this.where}: "${file}"`, this.key, content, scores);
    return true;
  }

  /** Keeps a file's scores and puts what a reader will get in their place. @throws NonFiniteError, FileError */
  async write(shard: number, scores: Float32Array): Promise<void> {
    const content = encode(this.key, scores);
    await writeWhole(this.where, this.file(shard), Buffer.concat([content, this.digest(shard, content)]));
    decode(this.where, this.key, content, scores);
  }

  private file(shard: number): string {
    return join(this.folder, `${String(shard).padStart(5, "0")}.scores`);
  }

  private digest(shard: number, content: Uint8Array): Buffer {
    const { model, data } = this.key;
    return createHash("sha256").update(`${model} ${data} ${shard} `).update(content).digest();
  }
}

function compare(where: string, folder: string, file: string, text: string, key: StoreKey): void {
  const wanted: Record<string, unknown> = { format, version, ...key };
  let held: Record<string, unknown>;
  try {
    held = JSON.parse(text) as Record<string, unknown>;
  } catch (thrown) {
    throw damaged(where, file, "it is no JSON", thrown);
  }
  if ((held as Partial<typeof held> | null)?.format !== format) {
    throw damaged(where, file, "it does not describe a folder of scores");
  }
  const strange = Object.keys(wanted).find((name) => held[name] !== wanted[name]);
  if (strange === undefined) return;
  const reasons: Record<string, string> = {
    model: "of another teacher, or of this one with other weights",
    data: "of other samples",
    version: "in the format of another version",
  };
  const reason =
    reasons[strange] ?? `with ${strange} ${JSON.stringify(held[strange])}, not ${JSON.stringify(wanted[strange])}`;
  throw new ArgumentError(`${where}: "${folder}" holds scores ${reason}; delete it or give another folder`);
}

const damaged = (where: string, file: string, what: string, cause?: unknown): CorruptFileError =>
  new CorruptFileError(`${where}: "${file}" is damaged: ${what}; delete it, and the teacher is asked again`, { cause });

async function readManifest(where: string, file: string): Promise<string | undefined> {
  const size = await sizeOf(where, file);
  if (size === undefined) return undefined;
  if (size > mostManifestBytes) throw damaged(where, file, `${size} bytes are too many`);
  return await asked(where, file, () => readFile(file, "utf8"));
}

async function readWhole(where: string, file: string, bytes: number): Promise<Buffer | undefined> {
  const size = await sizeOf(where, file);
  if (size === undefined) return undefined;
  if (size !== bytes) throw damaged(where, file, `it has ${size} bytes, expected ${bytes}`);
  const content = await asked(where, file, () => readFile(file));
  if (content.length !== bytes) throw damaged(where, file, `it has ${content.length} bytes, expected ${bytes}`);
  return content;
}

async function sizeOf(where: string, file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError(where, file, thrown);
  }
}

async function writeWhole(where: string, file: string, content: Buffer): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await asked(where, file, async () => {
    await mkdir(join(file, ".."), { recursive: true });
    try {
      const handle = await open(draft, "wx");
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, file);
    } catch (thrown) {
      await rm(draft, { force: true });
      throw thrown;
    }
  });
}

/** Takes away what writers left that were killed; that it cannot is no reason to stop. */
async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names.filter((each) => draftName.test(each))) {
    const draft = join(folder, name);
    const { mtimeMs } = await stat(draft).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs > draftMinutes * 60_000) await rm(draft, { force: true }).catch(() => undefined);
  }
}

async function asked<T>(where: string, file: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (thrown) {
    throw fileError(where, file, thrown);
  }
}

function fileError(where: string, file: string, thrown: unknown): unknown {
  if (thrown instanceof AthanorError) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  return new FileError(`${where}: "${file}": the system refused it (${code ?? message})`, { cause: thrown });
}

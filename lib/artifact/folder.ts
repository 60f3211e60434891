// The folder of an artifact as files: graph.json and weights.safetensors, written so that they appear whole or not at all, and read
// as one.
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AthanorError, ArgumentError, CorruptFileError, FileError } from "../errors.js";
import { addon, callAsync, type StoredTensor } from "../native/index.js";
import type { TypedArray } from "../tensor/dtype.js";
import { parseManifest, type Manifest } from "./manifest.js";
import { pathOf, placeOf } from "./place.js";

const maxManifestBytes = 256 * 1024 * 1024;

/** What a folder holds. */
export interface FolderContent {
  readonly graphFile: string;
  readonly weightsFile: string;
  readonly manifest: Manifest;
  /** By name. */
  readonly tensors: ReadonlyMap<string, StoredTensor<ArrayBuffer>>;
}

/** Reads the folder; see `artifact.load` for what is thrown. */
export async function readFolder(where: string, given: string | URL): Promise<FolderContent> {
  const path = pathOf(where, given);
  const graphFile = join(path, "graph.json");
  const weightsFile = join(path, "weights.safetensors");
  const manifest = parseManifest(where, graphFile, await readText(where, graphFile));
  const { tensors } = await callAsync(() => addon.readSafetensors(weightsFile, where));
  return { graphFile, weightsFile, manifest, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

async function readText(where: string, file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxManifestBytes) {
      throw new CorruptFileError(`${where}: "${file}" is damaged: ${size} bytes are too many for a graph`);
    }
    return await readFile(file, "utf8");
  } catch (thrown) {
    if (thrown instanceof AthanorError) throw thrown;
    const { code } = thrown as NodeJS.ErrnoException;
    const hint =
      code === "ENOENT"
        ? "there is no such file; is it the folder that artifact.save wrote?"
        : `it could not be read (${code})`;
    throw new FileError(`${where}: "${file}": ${hint}`, { cause: thrown });
  }
}

/** Writes the folder, in place of an older artifact; see `artifact.save` for what is thrown. */
export async function writeFolder(
  where: string,
  given: string | URL,
  manifest: Manifest,
  tensors: readonly StoredTensor<TypedArray>[],
): Promise<void> {
  const target = await placeOf(where, given);
  const parent = dirname(target);
  let draft: string | undefined;
  try {
    await mkdir(parent, { recursive: true });
    await refuseOtherContent(where, target);
    draft = join(parent, `.${basename(target)}-${randomUUID()}`);
    await mkdir(draft);
    await callAsync(() =>
      addon.writeSafetensors(join(draft!, "weights.safetensors"), tensors, { format: "athanor" }, where),
    );
    const file = await open(join(draft, "graph.json"), "w");
    try {
      await file.writeFile(`${JSON.stringify(manifest)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await replace(draft, target);
  } catch (thrown) {
    if (draft !== undefined) await rm(draft, { recursive: true, force: true });
    throw asFileError(where, target, thrown);
  }
}

const files = ["graph.json", "weights.safetensors"];

// Replacing a folder takes all of it away, so there must be nothing in it but an older artifact.
async function refuseOtherContent(where: string, path: string): Promise<void> {
  const entries = await readdir(path).catch((thrown: unknown) => {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  });
  const other = entries.find((entry) => !files.includes(entry));
  if (other === undefined) return;
  throw new ArgumentError(
    `${where}: "${path}" is no artifact, it holds "${other}", which saving would take away; save into a folder of its own, such as "${join(path, "model")}"`,
  );
}

// A folder cannot be renamed over a full one: the old one steps aside first and goes when the new one stands.
async function replace(draft: string, target: string): Promise<void> {
  const aside = `${draft}.old`;
  const replaced = await rename(target, aside).then(
    () => true,
    (thrown: unknown) => {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw thrown;
    },
  );
  try {
    await rename(draft, target);
  } catch (thrown) {
    if (replaced) await rename(aside, target);
    throw thrown;
  }
  if (replaced) await rm(aside, { recursive: true, force: true });
}

function asFileError(where: string, path: string, thrown: unknown): unknown {
  const { code } = thrown as NodeJS.ErrnoException;
  if (code === undefined || code.startsWith("ERR_ATHANOR")) return thrown;
  return new FileError(`${where}: "${path}" could not be written (${code}): nothing was changed`, { cause: thrown });
}

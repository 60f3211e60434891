// The folder of an artifact as files: graph.json and its weights, written so that they appear whole or not at all
// (native/io/artifact_folder.h), and read as one, even while another process replaces them.
import { constants } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ArgumentError, CorruptFileError, FileError } from "../errors.js";
import { addon, callAsync, type StoredTensor } from "../native/index.js";
import type { TypedArray } from "../tensor/dtype.js";
import { parseManifest, type Manifest } from "./manifest.js";
import { pathOf, placeOf, refusal } from "./place.js";
import { unseal, weightsFileOf } from "./seal.js";

const maxManifestBytes = 256 * 1024 * 1024;
const maxAttempts = 100;

/** What a folder holds. */
export interface FolderContent {
  readonly graphFile: string;
  readonly weightsFile: string;
  readonly manifest: Manifest;
  /** By name. */
  readonly tensors: ReadonlyMap<string, StoredTensor<ArrayBuffer>>;
  /** Of both files. */
  readonly bytes: number;
}

/** Reads the folder; see `artifact.load` for what is thrown. */
export async function readFolder(where: string, given: string | URL): Promise<FolderContent> {
  const path = pathOf(where, given);
  let lastGraph = "";
  for (let attempt = 1; ; attempt++) {
    const folder = await openFolder(where, path);
    const reading = new Reading(where, path, folder.fd);
    try {
      return await reading.all();
    } catch (thrown) {
      // Files go when a newer artifact has taken their place. Then the folder of that name is another one, or, where folders
      // cannot be swapped, its graph is.
      const graph = reading.weightsMissing ? reading.checksum : lastGraph;
      const replaced = graph !== lastGraph || !(await isSame(folder, path));
      lastGraph = graph;
      if (!replaced || attempt === maxAttempts) throw thrown;
    } finally {
      await folder.close();
    }
  }
}

// One look at an open folder: whatever becomes of its path meanwhile, the files are of one artifact.
class Reading {
  weightsMissing = false;
  checksum = "";
  private readonly where: string;
  private readonly path: string;
  private readonly folder: number;

  constructor(where: string, path: string, folder: number) {
    this.where = where;
    this.path = path;
    this.folder = folder;
  }

  async all(): Promise<FolderContent> {
    const { where, path, folder } = this;
    const graphFile = join(path, "graph.json");
    const graph = await callAsync(() => addon.readGraph(folder, "graph.json", graphFile, where, maxManifestBytes));
    const { text, sealed } = unseal(where, graphFile, new Uint8Array(graph));
    this.checksum = text.slice(-40);
    const json = parseJson(where, graphFile, text);
    const { name, expected } = weightsFileOf(where, graphFile, json, sealed);
    const manifest = parseManifest(where, graphFile, json);
    const weightsFile = join(path, name);
    try {
      const stored = await callAsync(() => addon.readSafetensors(folder, name, weightsFile, where, expected));
      const tensors = new Map(stored.map((tensor) => [tensor.name, tensor]));
      const weightsBytes = expected?.bytes ?? (await stat(weightsFile)).size;
      return { graphFile, weightsFile, manifest, tensors, bytes: graph.byteLength + weightsBytes };
    } catch (thrown) {
      this.weightsMissing = thrown instanceof FileError;
      throw thrown;
    }
  }
}

function parseJson(where: string, file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new CorruptFileError(`${where}: "${file}" is damaged: it is not valid JSON (${(thrown as Error).message})`);
  }
}

async function openFolder(where: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT") {
      throw new FileError(`${where}: "${path}": there is no such folder; is it the one that artifact.save wrote?`, {
        cause: thrown,
      });
    }
    if (code === "ENOTDIR") {
      throw new FileError(`${where}: "${path}" is not a folder; give the folder that artifact.save wrote`, {
        cause: thrown,
      });
    }
    throw refusal(where, path, code, thrown);
  }
}

async function isSame(folder: FileHandle, path: string): Promise<boolean> {
  const [opened, named] = await Promise.all([folder.stat(), stat(path).catch(() => undefined)]);
  return opened.ino === named?.ino && opened.dev === named.dev;
}

/** Writes the folder, in place of an older artifact; see `artifact.save` for what is thrown. */
export async function writeFolder(
  where: string,
  given: string | URL,
  manifest: Manifest,
  tensors: readonly StoredTensor<TypedArray>[],
): Promise<void> {
  const graph = JSON.stringify(manifest);
  const place = await placeOf(where, given);
  refuseUnreadable(where, place, graph);
  await callAsync(() => addon.writeArtifact(place, graph, tensors, where));
}

// What load would refuse is not written.
function refuseUnreadable(where: string, place: string, graph: string): void {
  try {
    if (graph.length > maxManifestBytes / 4) throw new CorruptFileError("its graph is too large");
    parseManifest(where, join(place, "graph.json"), JSON.parse(graph));
  } catch (thrown) {
    const { message } = thrown as Error;
    throw new ArgumentError(`${where}: the model cannot be saved so that it could be loaded again: ${message}`, {
      cause: thrown,
    });
  }
}

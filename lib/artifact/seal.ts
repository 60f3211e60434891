// The checksums of an artifact. graph.json names the length and the XXH64 of the weights file, and ends in the XXH64 of its own text
// before that end, which is of a fixed form:
//
//   {"format":"athanor","version":2, … ,"files":{"weights.safetensors":{"bytes":4096,"xxh64":"…"}},"checksum":"0123456789abcdef"}⏎
//
// Artifacts of version 1 have none of it.
import { CorruptFileError, UnsupportedError } from "../errors.js";
import { addon } from "../native/index.js";
import { formatVersion } from "./manifest.js";

/** What is known of the weights file before it is read. */
export interface WeightsFile {
  readonly name: string;
  /** Nothing in artifacts of version 1. */
  readonly expected?: { readonly bytes: number; readonly xxh64: string };
}

const tailLength = ',"checksum":"0123456789abcdef"}\n'.length;
const tailForm = /^,"checksum":"([0-9a-f]{16})"\}\n$/;

/**
 * The text of graph.json, if it is as it was saved.
 *
 * @throws CorruptFileError if it is not.
 */
export function unseal(where: string, file: string, bytes: Uint8Array): { text: string; sealed: boolean } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [, saved] = tailForm.exec(buffer.toString("latin1", Math.max(0, buffer.length - tailLength))) ?? [];
  if (saved === undefined) return { text: buffer.toString("utf8"), sealed: false };
  const found = addon.xxh64(buffer.subarray(0, buffer.length - tailLength));
  if (found === saved) return { text: buffer.toString("utf8"), sealed: true };
  throw new CorruptFileError(
    `${where}: "${file}" is damaged: its checksum is ${found}, not ${saved} as it was saved; if it was changed by hand, save the model again instead`,
  );
}

/**
 * The weights file that a graph names.
 *
 * @param json the parsed graph.
 * @throws CorruptFileError if the graph lost its checksums; UnsupportedError for a later version of the format.
 */
export function weightsFileOf(where: string, file: string, json: unknown, sealed: boolean): WeightsFile {
  const damaged = (what: string): never => {
    throw new CorruptFileError(`${where}: "${file}" is damaged: ${what}`);
  };
  if (!isRecord(json) || json.format !== "athanor") return damaged('it does not say "format": "athanor"');
  const { version, files, checksum } = json;
  if (typeof version !== "number" || !(version >= 1)) return damaged("it has no version");
  if (version > formatVersion) {
    throw new UnsupportedError(
      `${where}: "${file}" has version ${version} of the format, this build reads versions 1 to ${formatVersion}; update athanor`,
    );
  }
  if (version === 1 && files === undefined && checksum === undefined) return { name: "weights.safetensors" };
  if (!sealed) return damaged("its checksum is missing; if it was changed by hand, save the model again instead");
  const [entry, ...others] = isRecord(files) ? Object.entries(files) : [];
  const [name, expected] = entry ?? [];
  const { bytes, xxh64 } = isRecord(expected) ? expected : {};
  const known = name !== undefined && /^weights(-[0-9a-f]{16})?\.safetensors$/.test(name) && others.length === 0;
  if (!known || !Number.isSafeInteger(bytes) || typeof xxh64 !== "string" || !/^[0-9a-f]{16}$/.test(xxh64)) {
    return damaged("it does not name its weights file, with bytes and xxh64");
  }
  return { name, expected: { bytes: bytes as number, xxh64 } };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

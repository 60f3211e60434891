// By what a file is known again, and how one is opened.
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { FileError } from "../../errors.js";

/** Opens a file to read. @throws FileError */
export async function opened(operation: string, path: string): Promise<FileHandle> {
  return open(resolve(path), "r").catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new FileError(`${operation}: cannot read "${path}" (${code})`, { cause });
  });
}

const wholeBelow = 64 * 2 ** 20;
const probeBytes = 2 ** 16;
const probes = 256;

/** Length and content of a file, in short: all of it up to 64 MiB, 256 parts spread over it beyond. @throws FileError */
export async function fileIdentity(operation: string, path: string): Promise<string> {
  const file = await opened(operation, path);
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256").update(`${size} `);
    const buffer = new Uint8Array(probeBytes);
    const parts = size <= wholeBelow ? Math.ceil(size / probeBytes) : probes;
    for (let part = 0; part < parts; part++) {
      const position = size <= wholeBelow ? part * probeBytes : Math.floor((part / (probes - 1)) * (size - probeBytes));
      const { bytesRead } = await file.read(buffer, 0, probeBytes, position);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return `${size} bytes ${hash.digest("hex")}`;
  } finally {
    await file.close();
  }
}

// By which samples are known again.
import { createHash } from "node:crypto";
import type { NdArray } from "../tensor/nd-array.js";
import { aborted } from "../tensor/program.js";

// A few milliseconds at a time.
const sliceBytes = 4 * 2 ** 20;

/** SHA-256 in hex of an array's type and values. Gives the event loop its turn. @throws AbortedError */
export async function fingerprint(where: string, x: NdArray, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256").update(`${x.dtype} ${x.shape.join(" ")} `);
  const { buffer, byteOffset, byteLength } = x.data;
  for (let at = 0; at < byteLength; at += sliceBytes) {
    hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(sliceBytes, byteLength - at)));
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted) throw aborted(where, signal);
  }
  return hash.digest("hex");
}

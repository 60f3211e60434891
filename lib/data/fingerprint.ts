// By which samples are known again.
import { createHash, webcrypto } from "node:crypto";
import type { NdArray } from "../tensor/nd-array.js";
import { aborted } from "../tensor/program.js";

const sliceBytes = 2 ** 20;

/**
 * SHA-256 in hex of an array's type and of the SHA-256 of every MiB of its values. Threads do the work; the event loop copies a MiB at a
 * time for them, in a tenth of a millisecond, and has its turn in between.
 *
 * @throws AbortedError
 */
export async function fingerprint(where: string, x: NdArray, signal?: AbortSignal): Promise<string> {
  const whole = createHash("sha256").update(`${x.dtype} ${x.shape.join(" ")} `);
  const { buffer, byteOffset, byteLength } = x.data;
  const working: Promise<ArrayBuffer>[] = [];
  for (let at = 0; at < byteLength; at += sliceBytes) {
    const slice = new Uint8Array(buffer, byteOffset + at, Math.min(sliceBytes, byteLength - at));
    // Memory that threads share is copied here: it is not taken otherwise.
    working.push(webcrypto.subtle.digest("SHA-256", buffer instanceof ArrayBuffer ? slice : slice.slice()));
    if (working.length > 2) whole.update(new Uint8Array(await working.shift()!));
    if (signal?.aborted) throw aborted(where, signal);
  }
  for (const digest of working) whole.update(new Uint8Array(await digest));
  return whole.digest("hex");
}

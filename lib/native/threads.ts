// The size of the engine's thread pool.
import { addon, call } from "./index.js";

/** Threads that the engine computes with: the cores that the process may use, or `ATHANOR_THREADS`. */
export const threads = (): number => addon.threads();

/**
 * Changes that number for programs compiled later. Results do not depend on it, to the bit.
 *
 * @throws ArgumentError unless it is a whole number from 1 to 256.
 */
export function setThreads(count: number): void {
  call(() => addon.setThreads(count));
}

/** Bytes of tensors that the engine holds, of the whole process. */
export const nativeBytes = (): number => addon.nativeBytes();

// What a run rejects with: what ended it, and what became of the weights.
import { AbortedError, NonFiniteError } from "../../errors.js";
import type { Best } from "./best.js";
import type { Cancellation } from "./cancellation.js";
import { interruption, SignalReason } from "./signals.js";

/** What ended a run, where a signal of the system did: the state of before the step that it broke off is kept. */
export async function interrupted(
  where: string,
  thrown: unknown,
  cancellation: Cancellation,
  step: number,
  keep: () => Promise<string | undefined> | undefined,
): Promise<unknown> {
  const reason: unknown = cancellation.signal?.reason;
  if (!(thrown instanceof AbortedError) || !(reason instanceof SignalReason)) return thrown;
  return interruption(`${where}: ${reason.signal} came at step ${step}`, reason.signal, keep);
}

/** The error to reject with; the best weights are back before anyone sees it. */
export async function withBestWeights(thrown: unknown, best: Best): Promise<unknown> {
  const restored = await best.restore().catch(() => false);
  if (!restored || !(thrown instanceof NonFiniteError || thrown instanceof AbortedError)) return thrown;
  const { epoch, steps } = best.record!;
  const note = `; the model has the weights of its best check again (epoch ${epoch}, step ${steps})`;
  Object.defineProperty(thrown, "message", { value: thrown.message + note, configurable: true, writable: true });
  return thrown;
}

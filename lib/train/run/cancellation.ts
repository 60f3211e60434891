// The engine's stop flag, raised by an AbortSignal or by hand.
import { addon, type NativeCancel } from "../../native/index.js";

/** A flag for native calls that follows a signal until it is released. */
export class Cancellation {
  readonly native: NativeCancel = new addon.Cancel();
  readonly signal: AbortSignal | undefined;
  private readonly listeners = new Set<() => void>();
  private raised = false;

  constructor(signal?: AbortSignal) {
    this.signal = signal;
    if (signal?.aborted) this.raise();
    else signal?.addEventListener("abort", this.raise, { once: true });
  }

  /** Whether the signal fired. */
  get aborted(): boolean {
    return this.signal?.aborted ?? false;
  }

  /** Whether it was raised, by the signal or by hand. */
  get isRaised(): boolean {
    return this.raised;
  }

  /** Stops what runs with this flag, now and later. */
  readonly raise = (): void => {
    if (this.raised) return;
    this.raised = true;
    this.native.cancel();
    for (const listener of this.listeners) listener();
  };

  /** Calls `listener` when the flag is raised. */
  onRaise(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Lets go of the signal. */
  release(): void {
    this.signal?.removeEventListener("abort", this.raise);
  }
}

/** One signal that fires with any of those given; undefined for none. */
export function anyOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length > 1 ? AbortSignal.any(given) : given[0];
}

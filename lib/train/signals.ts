// Ctrl-C in two stages, for runs that ask for it: the first signal ends the step, and the run says what was kept; the second ends
// the process at once.
import { constants } from "node:os";

/** Signals that end a run. */
export type EndSignal = "SIGINT" | "SIGTERM";

const watched: readonly EndSignal[] = ["SIGINT", "SIGTERM"];

/** Why a run was aborted: the system told the process to end. */
export class SignalReason {
  readonly signal: EndSignal;

  constructor(signal: EndSignal) {
    this.signal = signal;
  }
}

/** Listens while a run goes on; the first signal aborts it by {@link SignalWatch.aborts}. */
export class SignalWatch {
  private readonly controller = new AbortController();

  constructor() {
    for (const signal of watched) process.on(signal, this.receive);
  }

  /** Aborted with a {@link SignalReason} by the first signal. */
  get aborts(): AbortSignal {
    return this.controller.signal;
  }

  release(): void {
    for (const signal of watched) process.off(signal, this.receive);
  }

  private readonly receive = (signal: NodeJS.Signals): void => {
    if (this.aborts.aborted) process.exit(exitCodeOf(signal as EndSignal));
    this.controller.abort(new SignalReason(signal as EndSignal));
  };
}

/** What a shell expects of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM. */
export const exitCodeOf = (signal: EndSignal): number => 128 + constants.signals[signal];

/** The process ends with the code of the signal if nobody catches this error. */
export function exitBySignal(error: Error, signal: EndSignal): void {
  process.on("uncaughtExceptionMonitor", (thrown: unknown) => {
    // Node sets its own code for an error that nobody caught before "exit", and reads it again after.
    if (thrown === error) process.once("exit", () => (process.exitCode = exitCodeOf(signal)));
  });
}

// Ctrl-C in two stages, for runs that ask for it: the first signal ends the step, and the run says what was kept; the second ends
// the process at once.
import { constants } from "node:os";
import { InterruptedError } from "../../errors.js";

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

/**
 * The error of a run that a signal ended, with the checkpoint that `keep` wrote, or why there is none. The process ends with the code of
 * the signal if nobody catches it.
 */
export async function interruption(
  what: string,
  signal: EndSignal,
  keep: () => Promise<string | undefined> | undefined,
): Promise<InterruptedError> {
  let checkpoint: string | undefined;
  let way = "; give checkpoint to go on from there";
  try {
    checkpoint = await keep();
    if (checkpoint !== undefined) way = `; resume: "auto" goes on from "${checkpoint}"`;
  } catch (thrown) {
    way = `; its state could not be kept: ${(thrown as Error).message}`;
  }
  const error = new InterruptedError(what + way, { signal, checkpoint });
  codes.set(error, exitCodeOf(signal));
  if (!listening) process.on("uncaughtExceptionMonitor", exitByCode);
  listening = true;
  return error;
}

const codes = new WeakMap<object, number>();
let listening = false;

function exitByCode(thrown: unknown): void {
  const code = thrown instanceof InterruptedError ? codes.get(thrown) : undefined;
  // Node sets its own code for an error that nobody caught before "exit", and reads it again after.
  if (code !== undefined) process.once("exit", () => (process.exitCode = code));
}

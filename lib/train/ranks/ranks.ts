// The ranks that work together on a run: joining them, agreeing with them, and telling them that this one cannot go on.
import { CommunicationError, NonFiniteError } from "../../errors.js";
import { addon, callAsync, type NativeVariable } from "../../native/index.js";

/** The ranks that this process belongs to. */
export interface World {
  /** This process, from 0 on. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** What carries the messages, such as "Open MPI v4.1.4". */
  readonly name: string;
  /** The host of every rank. */
  readonly hosts: readonly string[];
}

let joined: World | undefined;
let watching = false;

/** Default seconds within which ranks answer each other. */
export const DEADLINE = 120;

let asked = DEADLINE;

/** The seconds that were asked for last. */
export const lastDeadline = (): number => asked;

/** The ranks that were joined, if they were. */
export const joinedWorld = (): World | undefined => joined;

/** Joins the ranks that the launcher has started, once for the process. @throws CommunicationError */
export async function joinRanks(where: string, deadline: number): Promise<World> {
  if (!watching) {
    watching = true;
    // The others are told with what code this process ends.
    process.on("exit", (code) => addon.noteExit(code));
  }
  asked = deadline;
  joined = await throughRanks(where, () => addon.connect(Math.round(deadline * 1000)));
  return joined;
}

const agreed = new WeakSet<object>();

/** Notes that all ranks throw this error. */
export function agreedOn<T extends object>(error: T): T {
  agreed.add(error);
  return error;
}

/** A call that all ranks make; what it throws, it throws on all of them. @throws CommunicationError */
export async function throughRanks<T>(where: string | undefined, body: () => Promise<T>): Promise<T> {
  try {
    return await callAsync(body, where);
  } catch (thrown) {
    const error =
      thrown instanceof CommunicationError
        ? new CommunicationError(thrown.message, { cause: thrown, fault: addon.ranksFailure() })
        : thrown;
    if (typeof error === "object" && error !== null) agreed.add(error);
    throw error;
  }
}

/** Tells the others why this rank ends a run, unless they know. */
export function tellRanks(operation: string, step: number, thrown: unknown): void {
  if (typeof thrown === "object" && thrown !== null && agreed.has(thrown)) return;
  if (joined?.size === 1) return; // nobody waits, and the next run begins anew
  if (thrown instanceof NonFiniteError) return; // every rank has seen the loss and the norm of all
  const sentence = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  addon.failRanks(operation, step, sentence);
}

/** What every rank says. @throws CommunicationError */
export const gather = (text: string, what: string): Promise<string[]> =>
  throughRanks(undefined, () => addon.gatherTexts(text, what));

/** Gives every rank the values of rank 0. @throws CommunicationError */
export const spread = (variables: readonly NativeVariable[]): Promise<void> =>
  throughRanks(undefined, () => addon.broadcastVariables(variables, 0));

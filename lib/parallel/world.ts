// The ranks that this process is one of.
import { addon } from "../native/index.js";
import { rankMemory, type RankMemory } from "../train/ranks/rank-memory.js";
import { DEADLINE, joinedWorld, joinRanks, type World } from "../train/ranks/ranks.js";
import { checkOptions } from "../errors.js";

/** Which rank this process is. */
export interface RankInfo {
  /** From 0 on. */
  readonly rank: number;
  /** How many ranks there are. */
  readonly size: number;
}

/**
 * Which rank this process is, as its launcher says: rank 0 of 1 without one. It opens nothing and waits for nobody.
 *
 * @example
 * if (parallel.world().rank === 0) console.log("one of", parallel.world().size);
 */
export function world(): RankInfo {
  const joined = joinedWorld();
  const { rank, size } = joined ?? addon.launcher();
  return { rank, size };
}

/**
 * Joins the other ranks; `train.fit` does so by itself. MPI is opened where a launcher has started this process, and nowhere else.
 *
 * @param options `deadline`: seconds within which the others have to come. Default 120.
 * @throws CommunicationError where no MPI library is there, or it is another than the launcher's.
 * @example
 * const { rank, size, name, hosts } = await parallel.connect();
 * console.log(`rank ${rank} of ${size} on ${hosts[rank]}, by ${name}`);
 */
export async function connect(options: { readonly deadline?: number } = {}): Promise<World> {
  checkOptions("parallel.connect", options, ["deadline"]);
  return joinRanks("parallel.connect", options.deadline ?? DEADLINE);
}

/**
 * The bytes that the runs of this process hold right now for parameters, gradients and states: what `parallel.data({ zero })` divides. By
 * Adam, n ranks hold 16 bytes a parameter each without it, 8 + 8 / n with `zero: 1`, 4 + 12 / n with `zero: 2` and 16 / n with `zero: 3`.
 *
 * @example
 * const { parameters, gradients, states } = parallel.memory(); // all 0 while nothing is trained
 */
export const memory = (): RankMemory => rankMemory();

/** What one kind of operation has come to. */
export interface LedgerRow {
  /** "all-reduce", "all-gather", "broadcast". */
  readonly name: string;
  readonly calls: number;
  /** Bytes that this rank has sent. */
  readonly sent: number;
  /** Bytes that it has received. */
  readonly received: number;
  /** From begin to end, added up; operations may overlap. */
  readonly seconds: number;
}

/**
 * The bytes that this rank has sent and received so far, by kind of operation. A step of data parallelism on n ranks sends
 * 2 (n − 1) / n times the bytes of the gradients.
 *
 * @example
 * for (const { name, calls, sent } of parallel.ledger()) console.log(name, calls, sent);
 */
export const ledger = (): LedgerRow[] => addon.ranksLedger();

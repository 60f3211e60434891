// Groups of ranks: what collectives work within.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";
import { addon, call } from "../native/index.js";
import type { NativeRankGroup } from "../native/ranks.js";
import { joinedWorld } from "../train/ranks/ranks.js";

/** Some of the ranks, of which this is one; made by {@link group}. */
export class RankGroup {
  /** For messages and traces. */
  readonly name: string;
  /** The members, by their numbers among all ranks. */
  readonly ranks: readonly number[];
  /** The place of this rank among them. */
  readonly rank: number;
  /** @internal */
  readonly native: NativeRankGroup;

  /** @internal See {@link group}. */
  constructor(name: string, native: NativeRankGroup) {
    this.name = name;
    this.native = native;
    this.ranks = Object.freeze(native.ranks());
    this.rank = native.rank();
  }

  /** How many members there are. */
  get size(): number {
    return this.ranks.length;
  }
}

const made = new Map<string, RankGroup>();

/**
 * The group of ranks that this rank is in, among several that have no member in common. All ranks make the same groups in the same
 * order, after {@link connect}; the same groups asked for again are the same.
 *
 * @param name for messages and traces.
 * @param groups lists of ranks; every rank is in one of them. Default one group of all ranks.
 * @throws ArgumentError before `connect`, for ranks that are not there or stand in two groups, and for more than 14 divisions.
 * @example
 * const { size } = await parallel.connect();
 * const pair = parallel.group("all", [Array.from({ length: size }, (_, rank) => rank)]);
 * pair.size; // 1 without a launcher
 */
export function group(name: string, groups?: readonly (readonly number[])[]): RankGroup {
  const where = "parallel.group";
  if (typeof name !== "string") throw new ArgumentError(`${where}: the name must be a text, got ${got(name)}`);
  const world = joinedWorld();
  if (!world) throw new ArgumentError(`${where}: the ranks have not been joined; await parallel.connect() before it`);
  const key = JSON.stringify(groups ?? null);
  const known = made.get(key);
  if (known) return known;
  if (groups) checkGroups(where, groups, world.size);
  const fresh = new RankGroup(
    name,
    call(() => new addon.RankGroup(name, groups), where),
  );
  made.set(key, fresh);
  return fresh;
}

function checkGroups(where: string, groups: readonly (readonly number[])[], size: number): void {
  const ranks = Array.isArray(groups) ? groups.flat() : undefined;
  const whole = ranks?.every((rank) => Number.isSafeInteger(rank) && rank >= 0 && rank < size);
  if (ranks && whole && new Set(ranks).size === ranks.length && ranks.length === size) return;
  throw new ArgumentError(
    `${where}: groups are lists of ranks with each of 0 to ${size - 1} in one of them, got ${got(groups)}; for two pairs of four ranks write [[0, 1], [2, 3]]`,
  );
}

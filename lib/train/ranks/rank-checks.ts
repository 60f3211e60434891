// What ranks see to before the first step: that all of them were given the same run, and that they begin with the same weights.
import { CommunicationError } from "../../errors.js";
import type { Json } from "../../checkpoint/index.js";
import { addon, callAsync, type NativeVariable } from "../../native/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import { agreedOn, gather, joinedWorld, spread } from "./ranks.js";

/**
 * Compares what the ranks' runs are made of, before anything is exchanged: ranks that took different steps would wait for each other.
 *
 * @throws CommunicationError naming the first rank that differs from rank 0, and in what.
 */
export async function compareRuns(where: string, identity: Readonly<Record<string, Json>>): Promise<void> {
  const { size, hosts } = joinedWorld()!;
  if (size === 1) return;
  const all = (await gather(JSON.stringify(identity), "the runs of all ranks")).map(
    (text) => JSON.parse(text) as Record<string, Json>,
  );
  for (let rank = 1; rank < size; rank++) {
    const section = Object.keys(all[0]!).find(
      (name) => JSON.stringify(all[rank]![name]) !== JSON.stringify(all[0]![name]),
    );
    if (section === undefined) continue;
    const difference = firstDifference(section, all[0]![section], all[rank]![section]);
    // All of them have got here, or are told by the failure of this exchange: nobody still waits for the texts.
    await gather("", "what differs").catch(() => undefined);
    throw agreedOn(
      new CommunicationError(
        `${where}: rank ${rank} (${hosts[rank]}) was given another run than rank 0 (${hosts[0]}): ${difference}; run the same program with the same options and data on all ranks`,
      ),
    );
  }
}

function firstDifference(path: string, a: Json | undefined, b: Json | undefined): string {
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const [x, y] = [(a as Record<string, Json>)[name], (b as Record<string, Json>)[name]];
      if (JSON.stringify(x) !== JSON.stringify(y)) return firstDifference(`${path}.${name}`, x, y);
    }
  }
  const shown = (value: Json | undefined) => (JSON.stringify(value) ?? "missing").slice(0, 80);
  return `${path} is ${shown(b)}, not ${shown(a)}`;
}

/**
 * Compares a checksum of what the ranks of a group hold alike. All ranks of all groups call it, and look at all groups.
 *
 * @param ranks of this rank's group; all for undefined.
 * @throws CommunicationError on all of them, naming the first whose weights are others.
 */
export async function compareWeights(
  where: string,
  step: number,
  variables: readonly NativeVariable[],
  ranks: readonly number[] | undefined,
): Promise<void> {
  const { size, hosts } = joinedWorld()!;
  if (size === 1) return;
  const hash = await callAsync(() => addon.hashVariables(variables), where);
  const own = { hash, first: ranks?.[0] ?? 0 };
  const all = (await gather(JSON.stringify(own), "checksums of the weights")).map(
    (text) => JSON.parse(text) as typeof own,
  );
  const different = all.findIndex(({ hash: found, first }) => found !== all[first]!.hash);
  if (different < 0) return;
  const { first } = all[different]!;
  await gather("", "what differs").catch(() => undefined); // as in compareRuns
  throw agreedOn(
    new CommunicationError(
      `${where}: after step ${step} rank ${different} (${hosts[different]}) has other weights than rank ${first} (${hosts[first]}); a callback has changed them on one rank alone, or its memory has failed. Go on from the last checkpoint`,
    ),
  );
}

/** Begins with the weights of rank 0 on all ranks. */
export const shareWeights = (parameters: readonly Parameter[]): Promise<void> =>
  spread(parameters.map(({ native }) => native));

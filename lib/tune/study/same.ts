// Whether a search may go on with a study that is there.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { StudyRecord, StudySpec } from "../storage/storage.js";

type Allowed = "sampler" | "pruner" | "seed" | "mode" | "lag";
const allowable: readonly Allowed[] = ["sampler", "pruner", "seed", "mode", "lag"];
const fixed = ["space", "directions", "constraints"] as const;

/** @throws ArgumentError unless `allow` lists what a study may be gone on with differently. */
export function checkAllowed(allow: unknown): void {
  if (Array.isArray(allow) && allow.every((each) => (allowable as readonly unknown[]).includes(each))) return;
  const known = allowable.map((each) => `"${each}"`).join(", ");
  throw new ArgumentError(`tune: allow must be a list of ${known}, got ${got(allow)}`);
}

/** @throws ArgumentError that names what differs. */
export function requireSame({ name, spec }: StudyRecord, given: StudySpec, allow: readonly Allowed[]): void {
  for (const key of [...fixed, ...allowable]) {
    const [before, now] = [canonical(spec[key]), canonical(given[key])];
    if (before === now || allow.includes(key as Allowed)) continue;
    const isFixed = (fixed as readonly string[]).includes(key);
    const way = isFixed
      ? "give another name to begin anew"
      : `give the one of before, another name to begin anew, or allow: ["${key}"] where the change is meant`;
    throw new ArgumentError(`tune: the study "${name}" is there with another ${key}: it was ${short(before)}, now ${short(now)}; ${way}`); // prettier-ignore
  }
}

const short = (text: string): string => (text.length > 200 ? `${text.slice(0, 197)}…` : text);

// The same data, whatever the order of its keys.
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

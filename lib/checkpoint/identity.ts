// Whether a checkpoint belongs to the run that asks for it: what both are made of, compared field by field, so that a refusal says
// what is different and what each side has.
import { ArgumentError } from "../errors.js";
import type { Json } from "./json.js";

/** Parts of a run that have to be the ones of before; see `allow`. */
export const sections = ["model", "data", "length", "optimizer", "loss", "options"] as const;

/** A part of a run: its model, data, length, optimizer with its rates, loss, or other options. */
export type Section = (typeof sections)[number];

/** What a run is made of: facts by section. */
export type Identity = Readonly<Record<Section, Readonly<Record<string, Json>>>>;

const most = 6;

/** Facts whose names begin so are samples of something longer: they count where both runs have them. */
export const sampled = "at step ";

/** A fact that depends on how a model is divided among ranks: it counts where neither run says so. */
export const byDivision = "of a divided model";

/**
 * Compares a run with the one that a checkpoint is of.
 *
 * @throws ArgumentError naming what differs, beside what is allowed to.
 */
export function compareIdentity(
  where: string,
  file: string,
  saved: Identity,
  own: Identity,
  allow: readonly Section[],
): void {
  const differences: string[] = [];
  const refused = new Set<Section>();
  for (const section of sections) {
    if (allow.includes(section)) continue;
    const [before, now] = [saved[section] ?? {}, own[section]];
    for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const [then, today] = [JSON.stringify(before[name]), JSON.stringify(now[name])];
      if (then === today || (name.startsWith(sampled) && (!then || !today))) continue;
      if (before[name] === byDivision || now[name] === byDivision) continue;
      differences.push(`${section}: ${name} was ${shorten(then)}, is ${shorten(today)}`);
      refused.add(section);
    }
  }
  if (differences.length === 0) return;
  const more = differences.length > most ? `; and ${differences.length - most} more` : "";
  const names = [...refused].map((section) => `"${section}"`).join(", ");
  throw new ArgumentError(
    `${where}: "${file}" is of another run. ${differences.slice(0, most).join("; ")}${more}. Give the options of before, resume: false to begin anew, or allow: [${names}] where the change is meant`,
  );
}

function shorten(text: string | undefined): string {
  if (text === undefined) return "absent";
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

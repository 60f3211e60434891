// Parameters picked by name: one reading of patterns for every option that takes them (freeze, groups of optimizers, prune,
// quantize).
import { ArgumentError, nearestName } from "../errors.js";
import type { Parameter } from "../tensor/parameter.js";
import type { NamedParameter } from "./named-parameter.js";

/** Which parameters: those of a name or of the part of the model that it names, those whose name matches, or those picked. */
export type ParameterMatch = string | RegExp | ((name: string, parameter: Parameter) => boolean);

/** One or several ways to name parameters; several pick what any of them picks. */
export type ParameterMatches = ParameterMatch | readonly ParameterMatch[];

const mostListed = 16;

/** Whether a name is `part`, or within it: "0" and "0.weight" both hold "0.weight". */
export const isWithin = (part: string, name: string): boolean => name === part || name.startsWith(`${part}.`);

/** Whether any of them picks the parameter. */
export function matchesAny(matches: ParameterMatches, { name, parameter }: NamedParameter): boolean {
  return listed(matches).some((match) => {
    if (typeof match === "function") return match(name, parameter);
    return typeof match === "string" ? isWithin(match, name) : name.search(match) !== -1;
  });
}

/** @throws ArgumentError unless `matches` is a name, a pattern, a function, or a list of them. */
export function requireMatches(where: string, option: string, matches: unknown): asserts matches is ParameterMatches {
  for (const match of listed(matches as ParameterMatches) as readonly unknown[]) {
    if (typeof match === "string" || typeof match === "function" || match instanceof RegExp) continue;
    throw new ArgumentError(
      `${where}: ${option} takes a name such as "0.weight" or "0", a pattern such as /bias$/, a function (name, parameter) => true or false, or a list of these, got ${String(match)}`,
    );
  }
}

/**
 * Those of `all` that match, in their order.
 *
 * @throws ArgumentError for a name or pattern that picks none, with the names that there are.
 */
export function selectParameters<Named extends NamedParameter>(
  where: string,
  option: string,
  matches: ParameterMatches,
  all: readonly Named[],
): Named[] {
  requireMatches(where, option, matches);
  for (const match of listed(matches)) {
    if (typeof match === "function" || all.some((named) => matchesAny(match, named))) continue;
    const names = all.map(({ name }) => name);
    throw new ArgumentError(`${where}: ${option} names no parameter ${nameOf(match)}${waysOut(match, names)}`);
  }
  return all.filter((named) => matchesAny(matches, named));
}

/** What to write instead of a name that is none: the nearest, and those that there are. */
export function waysOut(match: string | RegExp, names: readonly string[]): string {
  const near = typeof match === "string" ? nearestName(match, names) : undefined;
  const some = names.slice(0, mostListed).map((name) => `"${name}"`);
  const list = `there are ${some.join(", ")}${names.length > mostListed ? `, … (${names.length})` : ""}`;
  return near === undefined ? `; ${list}` : `, did you mean "${near}"? (${list})`;
}

const nameOf = (match: string | RegExp): string => (typeof match === "string" ? JSON.stringify(match) : String(match));

const listed = (matches: ParameterMatches): readonly ParameterMatch[] =>
  Array.isArray(matches) ? (matches as readonly ParameterMatch[]) : [matches as ParameterMatch];

// Which parameters are pruned, and how much of each.
import { ArgumentError } from "../errors.js";
import { Embedding } from "../nn/linear.js";
import { isWithin, selectParameters, waysOut, type ParameterMatches } from "../nn/match.js";
import type { Module } from "../nn/module.js";
import type { NamedParameter } from "../nn/named-parameter.js";
import type { Parameter } from "../tensor/parameter.js";

/**
 * The share of weights to prune, in [0, 1): of all, by the name of a parameter or of the part that holds it, or by a function.
 * What a record does not name is not pruned.
 */
export type Amount = number | Readonly<Record<string, number>> | ((name: string, parameter: Parameter) => number);

/** A parameter to be pruned. */
export interface Target extends NamedParameter {
  readonly amount: number;
}

/** What {@link targetsOf} goes by. */
export interface TargetOptions {
  readonly amount: Amount;
  readonly match?: ParameterMatches | undefined;
  readonly keep?: ParameterMatches | undefined;
}

/**
 * The parameters to prune: f32 weights of two dimensions or more that are trained, without those of embeddings; or those that
 * `match`. What `keep` names stays as it is.
 *
 * @throws ArgumentError if nothing is left, a name means nothing, or an amount is out of range.
 */
export function targetsOf(where: string, model: Module, options: TargetOptions): Target[] {
  const all = model.namedWeights();
  const names = all.map(({ name }) => name);
  const { match, keep } = options;
  const picked = match === undefined ? weightsOf(model, all) : selectParameters(where, "match", match, all);
  const kept = new Set(keep === undefined ? [] : selectParameters(where, "keep", keep, all));
  const left = picked.filter((named) => !kept.has(named));
  if (left.length === 0) {
    const few = `${names.slice(0, 4).map((name) => `"${name}"`).join(", ")}${names.length > 4 ? ", …" : ""}`; // prettier-ignore
    throw new ArgumentError(
      picked.length > 0
        ? `${where}: keep leaves nothing to prune; there are ${few}`
        : `${where}: the model has no weights to prune, which have two dimensions or more; name others with match, there are ${few}`,
    );
  }
  const amountOf = amounts(where, options.amount, names);
  const targets = left.map((named) => ({ ...named, amount: amountOf(named) })).filter(({ amount }) => amount > 0);
  for (const { name, parameter } of targets) requirePrunable(where, name, parameter);
  return targets;
}

function weightsOf(model: Module, all: readonly NamedParameter[]): NamedParameter[] {
  const tables = new Set(
    model.namedModules().flatMap(({ module }) => (module instanceof Embedding ? [module.weight] : [])),
  );
  return all.filter(
    ({ parameter }) =>
      parameter.shape.length >= 2 &&
      parameter.dtype === "f32" &&
      parameter.trainable &&
      !parameter.parametrization &&
      !tables.has(parameter),
  );
}

function requirePrunable(where: string, name: string, { shape, dtype, parametrization }: Parameter): void {
  if (parametrization) {
    throw new ArgumentError(
      `${where}: "${name}" is held as ${parametrization.kind} already; prune the model first, then quantize or pack it`,
    );
  }
  if (dtype === "f32" && shape.length >= 1) return;
  throw new ArgumentError(`${where}: "${name}" is ${dtype} of ${shape.length} dimensions, only f32 arrays are pruned`);
}

function amounts(where: string, amount: Amount, names: readonly string[]): (named: NamedParameter) => number {
  if (typeof amount === "number") {
    requireAmount(where, "amount", amount);
    return () => amount;
  }
  if (typeof amount === "function") {
    return ({ name, parameter }) => {
      const share = amount(name, parameter);
      requireAmount(where, `amount of "${name}"`, share);
      return share;
    };
  }
  if (typeof amount !== "object" || amount === null) {
    throw new ArgumentError(
      `${where}: amount must be a share such as 0.9, a record or a function, got ${String(amount)}`,
    );
  }
  const entries = Object.entries(amount);
  for (const [part, share] of entries) {
    requireAmount(where, `amount of "${part}"`, share);
    if (names.some((name) => isWithin(part, name))) continue;
    throw new ArgumentError(`${where}: amount names no parameter "${part}"${waysOut(part, names)}`);
  }
  return ({ name }) => entries.findLast(([part]) => isWithin(part, name))?.[1] ?? 0;
}

/** @throws ArgumentError unless `value` is a share from 0 to below 1. */
export function requireAmount(where: string, name: string, value: unknown): void {
  if (typeof value === "number" && value >= 0 && value < 1) return;
  const way = typeof value === "number" && value >= 1 && value <= 100 ? `; ${value} % is ${value / 100}` : "";
  throw new ArgumentError(
    `${where}: ${name} must be a share from 0 to below 1, got ${String(value)}${value === 1 ? "" : way}`,
  );
}

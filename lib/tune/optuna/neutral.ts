// A study of Optuna as its storages hold it, whichever kind they are.
import { StorageError } from "../../errors.js";
import { choice, int, logUniform, uniform, type Distribution, type Json } from "../space/index.js";
import { read } from "../storage/sql.js";

/** A trial of Optuna. */
export interface OptunaTrial {
  readonly number: number;
  state: "RUNNING" | "COMPLETE" | "PRUNED" | "FAIL" | "WAITING";
  values: readonly number[] | undefined;
  started: string | undefined;
  ended: string | undefined;
  readonly params: Map<string, { readonly value: number; readonly distribution: string }>;
  readonly intermediate: Map<number, number>;
  readonly userAttributes: Record<string, Json>;
  readonly systemAttributes: Record<string, Json>;
}

/** A study of Optuna. */
export interface OptunaStudy {
  readonly name: string;
  readonly directions: readonly string[];
  readonly userAttributes: Record<string, Json>;
  readonly trials: OptunaTrial[];
}

/** A trial that has nothing yet. */
export const emptyTrial = (number: number): OptunaTrial => ({ number, state: "RUNNING", values: undefined, started: undefined, ended: undefined, params: new Map(), intermediate: new Map(), userAttributes: {}, systemAttributes: {} }); // prettier-ignore

/** Python's JSON, which has words for numbers that JSON has not. */
export const readPython = (text: string): unknown =>
  read(
    text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (token) =>
      token.startsWith('"') ? token : `{"$number":"${token}"}`,
    ),
  );

interface Attributes {
  readonly low: number;
  readonly high: number;
  readonly step?: number | null;
  readonly q?: number | null;
  readonly log?: boolean;
  readonly choices?: readonly Json[];
}

/**
 * A distribution from Optuna's JSON of it, those of its first versions included.
 *
 * @throws StorageError for one that is not known; ArgumentError for choices that are equal in JSON, such as 1 and 1.0.
 */
export function distributionOf(name: string, text: string): Distribution {
  const { name: kind, attributes } = readPython(text) as { name?: string; attributes?: Attributes };
  if (attributes === undefined) throw unknown(name, text);
  const { low, high, step, q, log = false, choices = [] } = attributes;
  const stepped = step ?? q ?? undefined;
  switch (kind) {
    case "CategoricalDistribution":
      return choice(choices);
    case "FloatDistribution":
    case "UniformDistribution":
    case "DiscreteUniformDistribution":
      return log ? logUniform(low, high) : uniform(low, high, stepped === undefined ? {} : { step: stepped });
    case "LogUniformDistribution":
      return logUniform(low, high);
    case "IntDistribution":
    case "IntUniformDistribution":
      return log ? int(low, high, { log }) : int(low, high, stepped === undefined ? {} : { step: stepped });
    case "IntLogUniformDistribution":
      return int(low, high, { log: true });
    default:
      throw unknown(name, text);
  }
}

const unknown = (name: string, text: string): StorageError =>
  new StorageError(`tune.fromOptuna: the parameter "${name}" has a distribution that is not known here: ${text}`);

/** Constraints by their keys: a list in Optuna 2 to 4, single attributes from 5 on. */
export function constraintsOf(attributes: Readonly<Record<string, Json>>): number[] {
  const list = (attributes.constraints ?? []) as readonly number[];
  const single = Object.entries(attributes).filter(([key]) => key.startsWith("constraints:")).sort(([a], [b]) => (a < b ? -1 : 1)); // prettier-ignore
  return [...list, ...single.map(([, value]) => value as number)];
}

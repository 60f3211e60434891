// The values of a model by name: taken out as copies, and put back into a model that has the same names and shapes.
import { ArgumentError, StateMismatchError, type StateDifferences } from "../errors.js";
import { got } from "../names/got.js";
import { NdArray, showShape } from "../tensor/nd-array.js";
import type { NamedParameter } from "./named-parameter.js";

/** Values by the names of parameters; a mask is beside its parameter as `<name>.mask`, u8. */
export type StateDict = Readonly<Record<string, NdArray>>;

/** Options of `module.loadStateDict`. */
export interface LoadStateOptions {
  /** Whether every name has to be there, and no other. Shapes always have to agree. Default true. */
  readonly strict?: boolean | undefined;
}

/** Copies of the values of parameters and masks. */
export function stateOf(parameters: readonly NamedParameter[]): StateDict {
  return Object.fromEntries(
    parameters.flatMap(({ name, parameter }): [string, NdArray][] => {
      const mask = parameter.readMask();
      const values: [string, NdArray] = [name, parameter.readSync()];
      return mask ? [values, [`${name}.mask`, new NdArray(mask, parameter.shape, "u8")]] : [values];
    }),
  );
}

/** Puts values into parameters: all of them, or none. @throws StateMismatchError, ArgumentError */
export function loadState(
  where: string,
  parameters: readonly NamedParameter[],
  state: unknown,
  { strict = true }: LoadStateOptions,
): StateDifferences {
  const given = checkedState(where, state);
  const own = new Map(parameters.map(({ name, parameter }) => [name, parameter]));
  const maskOf = (name: string) => own.get(name.replace(/\.mask$/, ""));
  const isMask = (name: string) => !own.has(name) && name.endsWith(".mask") && maskOf(name) !== undefined;
  const shapes = [...given].flatMap(([name, values]) => {
    const parameter = isMask(name) ? maskOf(name) : own.get(name);
    if (!parameter) return [];
    const dtype = isMask(name) ? "u8" : parameter.dtype;
    const same = values.dtype === dtype && showShape(values.shape) === showShape(parameter.shape);
    const expected = `${dtype} ${showShape(parameter.shape)}`;
    return same ? [] : [{ name, expected, got: `${values.dtype} ${showShape(values.shape)}` }];
  });
  const differences: StateDifferences = {
    missing: [...own.keys()].filter((name) => !given.has(name)),
    unexpected: [...given.keys()].filter((name) => !own.has(name) && !isMask(name)),
    shapes,
  };
  const { missing, unexpected } = differences;
  if (shapes.length > 0 || (strict && missing.length + unexpected.length > 0)) throw mismatch(where, differences);
  for (const [name, parameter] of own) {
    const values = given.get(name);
    if (!values) continue;
    const mask = given.get(`${name}.mask`);
    if (mask ?? parameter.mask) parameter.setMask(mask?.data as Uint8Array | undefined);
    parameter.write(values);
  }
  return differences;
}

function checkedState(where: string, state: unknown): Map<string, NdArray> {
  if (typeof state !== "object" || state === null || state instanceof NdArray || Array.isArray(state)) {
    throw new ArgumentError(`${where}: expected values by name, as model.stateDict() gives them, got ${got(state)}`);
  }
  const entries = Object.entries(state as Record<string, unknown>);
  const strange = entries.find(([, values]) => !(values instanceof NdArray));
  if (strange) {
    throw new ArgumentError(
      `${where}: "${strange[0]}" must be an array made by array(values, shape), got ${got(strange[1])}`,
    );
  }
  return new Map(entries as [string, NdArray][]);
}

const most = 5;

function mismatch(where: string, differences: StateDifferences): StateMismatchError {
  const { missing, unexpected, shapes } = differences;
  const some = (names: readonly string[]) =>
    `${names.slice(0, most).join(", ")}${names.length > most ? ` and ${names.length - most} more` : ""}`;
  const parts = [
    ...(missing.length > 0 ? [`missing: ${some(missing.map((name) => `"${name}"`))}`] : []),
    ...(unexpected.length > 0 ? [`unexpected: ${some(unexpected.map((name) => `"${name}"`))}`] : []),
    ...(shapes.length > 0
      ? [`of another shape or element type: ${some(shapes.map(({ name, expected, got: came }) => `"${name}" is ${expected}, got ${came}`))}`] // prettier-ignore
      : []),
  ];
  const way =
    shapes.length > 0
      ? "build the model that the values are of, or leave those names out with { strict: false }"
      : "{ strict: false } takes the names that both have";
  return new StateMismatchError(`${where}: the values do not fit the model; ${parts.join("; ")}; ${way}`, differences);
}

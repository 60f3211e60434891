// How many numbers an update rule keeps for parameters, without making them.
import { addon, call, type NativeVariable } from "../native/index.js";
import { rules, type Slot } from "../native/rules.js";
import { memoryRow, type HyperValues } from "./hyper.js";
import type { Optimizer } from "./optimizer.js";

type Rule = Optimizer["rule"];

/** The states of `rule` with these hyper-parameters for a matrix, or a parameter of fewer dimensions: the engine is asked for a small one. */
function statesInUse(rule: Rule, hyper: HyperValues, isMatrix: boolean): readonly Slot[] {
  const shape = isMatrix ? [2, 2] : [2];
  const small: NativeVariable = call(() => new addon.Variable("f32", shape, "small"));
  const made = call(() => new addon.Optimizer(rule, [{ variables: [small], hyper: Float64Array.from(memoryRow(rule, hyper)) }], {})); // prettier-ignore
  const names = new Set(made.states.map(({ name }) => name.slice("small.".length)));
  made.dispose();
  small.dispose();
  return rules[rule].state.filter(({ name }) => names.has(name));
}

const elementsOf = (form: Slot["form"], shape: readonly number[]): number => {
  const size = shape.reduce((a, b) => a * b, 1);
  if (form === "rows") return size / shape.at(-1)!;
  if (form === "columns") return size / shape.at(-2)!;
  return form === "numbers" ? 3 : size;
};

/** Elements of all states of parameters with these shapes, by the hyper-parameters of the optimizer itself. */
export function stateElements(optimizer: Optimizer, shapes: readonly (readonly number[])[]): number {
  const slots = [false, true].map((isMatrix) => statesInUse(optimizer.rule, optimizer.hyper, isMatrix));
  return shapes.reduce(
    (sum, shape) => sum + slots[shape.length > 1 ? 1 : 0]!.reduce((own, { form }) => own + elementsOf(form, shape), 0),
    0,
  );
}

// What of a training run is kept in a checkpoint: the model with its masks, the optimizer, the modules beside the model.
import type { Json, NamedVariable, Participant } from "../../checkpoint/index.js";
import { addon, call, type NativeDType, type NativeOptimizer, type NativeVariable } from "../../native/index.js";
import type { NamedParameter } from "../../nn/index.js";
import type { BoundOptimizer } from "../../optim/index.js";

/** Parameters with the masks that they have, whatever they are by then. */
export function parametersOf(list: () => readonly NamedParameter[]): Participant {
  const masked = () => list().filter(({ parameter }) => parameter.mask);
  return {
    state: () => ({ masks: masked().map(({ name }) => name) }),
    *tensors(): Iterable<NamedVariable> {
      for (const { name, parameter } of list()) {
        yield [name, parameter.native];
        if (parameter.mask) yield [`${name}.mask`, parameter.mask];
      }
    },
    restore(saved: Json) {
      const { masks } = saved as { readonly masks: readonly string[] };
      const wanted = new Set(masks);
      for (const { name, parameter } of list()) {
        if (!wanted.has(name)) parameter.setMask(undefined);
        else if (!parameter.mask) parameter.setMask(new Uint8Array(parameter.size).fill(1));
      }
    },
    // A mask counts from the moment it is set.
    restored() {
      for (const { parameter } of masked()) parameter.setMask(parameter.readMask());
    },
  };
}

type SavedType = readonly [dtype: NativeDType, shape: readonly number[]];

/**
 * States and step counter of an optimizer. States of a checkpoint that were kept in another codec are read as they are and become those of
 * this optimizer.
 */
export function optimizerOf(bound: BoundOptimizer): Participant {
  let steps = 0;
  const foreign = new Map<string, NativeVariable>();
  return {
    state: () => ({ steps: bound.native.steps, codes: codesOf(bound.native) }),
    tensors: () => bound.native.states.map((state) => [state.name, foreign.get(state.name) ?? state] as const),
    restore(saved) {
      const { codes, ...rest } = saved as { readonly steps: number; readonly codes?: Record<string, SavedType> };
      ({ steps } = rest);
      bound.native.states.forEach(({ name, type }, i) => {
        const [dtype, shape] = codes?.[name] ?? ["f32", bound.native.stateShape(i)];
        if (dtype === type.dtype && shape.join() === type.shape.join()) return;
        foreign.set(name, new addon.Variable(dtype, shape, name));
      });
    },
    restored() {
      bound.native.states.forEach(({ name }, i) => {
        const from = foreign.get(name);
        if (!from) return;
        call(() => bound.native.takeState(i, from), `optim.${bound.optimizer.name}`);
        from.dispose();
      });
      foreign.clear();
      bound.native.steps = steps;
    },
  };
}

// What states are kept in that are not f32 of their parameter's shape.
const codesOf = ({ states }: NativeOptimizer): Record<string, [NativeDType, number[]]> =>
  Object.fromEntries(
    states.filter(({ type }) => type.dtype !== "f32").map(({ name, type }) => [name, [type.dtype, [...type.shape]]]),
  );

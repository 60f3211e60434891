// What of a training run is kept in a checkpoint: the model with its masks, the optimizer, the modules beside the model.
import type { Json, NamedVariable, Participant } from "../../checkpoint/index.js";
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

/** States and step counter of an optimizer. */
export function optimizerOf(bound: BoundOptimizer): Participant {
  let steps = 0;
  return {
    state: () => ({ steps: bound.native.steps }),
    tensors: () => bound.native.states.map((state) => [state.name, state] as const),
    restore: (saved) => ({ steps } = saved as { readonly steps: number }),
    restored: () => void (bound.native.steps = steps),
  };
}

// What an optimizer would keep is what it keeps once it is bound, by every rule and what its hyper-parameters leave out.
import { describe, expect, it } from "vitest";
import { nn, optim } from "athanor";
import { stateElements } from "../../../lib/optim/state-size.js";

const optimizers: Record<string, optim.Optimizer> = {
  "sgd without momentum": optim.sgd({ lr: 0.1 }),
  "sgd with momentum": optim.sgd({ lr: 0.1, momentum: 0.9 }),
  adam: optim.adam(),
  "adam, amsgrad": optim.adam({ amsgrad: true }),
  rmsProp: optim.rmsProp(),
  "rmsProp, centered": optim.rmsProp({ centered: true, momentum: 0.5 }),
  adagrad: optim.adagrad(),
  lion: optim.lion(),
  lamb: optim.lamb(),
  adafactor: optim.adafactor(),
  muon: optim.muon(),
  prodigy: optim.prodigy(),
};

describe("stateElements", () => {
  it.each(Object.entries(optimizers))("%s", (_, optimizer) => {
    const model = nn.sequential(nn.linear(6, 5), nn.linear(5, 3)).assignNames();
    const bound = optim.bind(optimizer, model.namedParameters());
    const { states } = bound.stateDict();
    const kept = Object.values(states).reduce((sum, { size }) => sum + size, 0);
    const shapes = bound.parameters.map(({ shape }) => shape);
    bound.dispose();
    expect(stateElements(optimizer, shapes)).toBe(kept);
  });
});

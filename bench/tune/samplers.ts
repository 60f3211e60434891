// Athanor's samplers by the names that both sides use.
import { tune } from "../../lib/tune/index.js";
import type { Sampler } from "../../lib/tune/samplers/index.js";

export const samplers: Readonly<Record<string, () => Sampler>> = {
  tpe: () => tune.tpe(),
  gp: () => tune.gp(),
  cmaes: () => tune.cmaEs(),
  sobol: () => tune.sobol(),
  random: () => tune.random(),
  nsga2: () => tune.nsga2(),
  auto: () => tune.auto(),
};

// Search over hyper-parameters: `tune` of the package, with its parts as properties.
import { grid, halton, random, sobol, tpe } from "./samplers/index.js";
import { choice, int, logUniform, uniform, when } from "./space/index.js";

/** Spaces and samplers of a search over hyper-parameters. */
export const tune = {
  // Distributions
  uniform,
  logUniform,
  int,
  choice,
  when,
  // Samplers
  random,
  grid,
  sobol,
  halton,
  tpe,
};

export type { GridOptions, Sampler, SampleRequest, TpeOptions } from "./samplers/index.js";
export type { Distribution, FlatSpace, Params, ParamsOf, Space } from "./space/index.js";
export type { Direction, Intermediate, TrialRecord, TrialState } from "./study/record.js";

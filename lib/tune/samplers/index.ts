// Every function here is a property of `tune`.
export { grid, type GridOptions } from "./grid.js";
export { halton, sobol } from "./quasi.js";
export { random } from "./random.js";
export type { Sampler, SampleRequest } from "./sampler.js";
export { tpe, type TpeOptions } from "./tpe.js";

export { auto } from "./auto.js";
export { cmaEs, type CmaEsOptions } from "./cma-es.js";
export { gp, type GpOptions } from "./gp.js";
export { grid, type GridOptions } from "./grid.js";
export { nsga2, type Nsga2Options } from "./nsga2.js";
export { halton, sobol } from "./quasi.js";
export { random } from "./random.js";
export type { Sampler, SampleRequest } from "./sampler.js";
export { tpe, type TpeOptions } from "./tpe.js";

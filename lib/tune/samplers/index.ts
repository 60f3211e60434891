export { grid, type GridOptions } from "./grid.js";
export { random } from "./random.js";
export type { Sampler, SampleRequest } from "./sampler.js";

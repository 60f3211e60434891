import type { Parameter } from "../tensor/parameter.js";

/** A parameter with its place in a model. */
export interface NamedParameter {
  readonly name: string;
  readonly parameter: Parameter;
}

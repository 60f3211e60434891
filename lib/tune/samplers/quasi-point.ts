// Points of sequences that fill the space evenly.
import { addon, call } from "../../native/index.js";
import type { Params } from "../space/index.js";
import { coordinatesOf } from "./coordinates.js";
import type { SampleRequest } from "./sampler.js";

/** The trial's point of a sequence. */
export function quasiParams(sequence: "sobol" | "halton", request: SampleRequest): Params {
  const { space, seed, number, fixed } = request;
  const point = call(() => addon.quasiPoint(sequence, seed, number, space.parameters.length));
  return coordinatesOf(space).at(point, fixed);
}

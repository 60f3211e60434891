// Whether a model can be compressed: NaN and infinity in what was trained would turn into numbers that mean nothing.
import { requireFiniteParameters, requireFiniteParametersSync } from "../tensor/finite.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Module } from "./module.js";
import type { NamedParameter } from "./named-parameter.js";
import { Buffer } from "./buffer.js";

// What was trained or gathered, and what is to be compressed; fixed parameters beside may be infinite, as additive masks are.
function looked(model: Module, compressed: readonly Parameter[]): NamedParameter[] {
  const picked = new Set(compressed);
  return model
    .namedParameters()
    .filter(({ parameter }) => parameter.trainable || parameter instanceof Buffer || picked.has(parameter))
    .map(({ name, parameter }) => ({ name: `"${name}"`, parameter }));
}

/** @throws NonFiniteError for the first element of a trained, gathered or compressed parameter that is NaN or infinite. */
export const requireSound = (where: string, model: Module, compressed: readonly Parameter[]): Promise<void> =>
  requireFiniteParameters(where, looked(model, compressed));

/** The same at once. @throws NonFiniteError */
export const requireSoundSync = (where: string, model: Module, compressed: readonly Parameter[]): void =>
  requireFiniteParametersSync(where, looked(model, compressed));

// Running statistics at the end of a run. The optimizer lets no weight become NaN or infinite; the mean and variance of inputs near
// the largest f32 may, while the loss, which divides by them, is finite.
import { NonFiniteError } from "../../errors.js";
import { Module, Buffer, type ModuleLike } from "../../nn/index.js";

/** @throws NonFiniteError naming the first running statistic of a model that is not finite. */
export function checkStatistics(where: string, model: ModuleLike): void {
  if (!(model instanceof Module)) return;
  for (const { name, parameter } of model.namedParameters()) {
    if (!(parameter instanceof Buffer)) continue;
    const { data } = parameter.readSync();
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    throw new NonFiniteError(
      `${where}: the running statistic "${name}" has become ${data[at]} at position ${at}; the inputs of its layer are too large, standardize the data`,
    );
  }
}

// Training on several ranks: processes that `mpirun`, `srun` or Kubernetes has started, on one machine or many.
export { data, type DataOptions } from "./data.js";
export { connect, ledger, world, type LedgerRow, type RankInfo } from "./world.js";
export type { DataParallelism } from "../train/ranks/parallelism.js";
export type { World } from "../train/ranks/ranks.js";

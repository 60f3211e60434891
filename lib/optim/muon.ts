// Muon: steps of matrices made orthogonal.
import type { ScheduleLike } from "../schedule/index.js";
import { define, type CommonOptions, type Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Hyper-parameters of {@link muon}; `adamLr`, `adamWeightDecay`, `betas` and `eps` are those of AdamW, for what is not a matrix. */
export interface MuonHypers extends CommonOptions {
  /** Share of the mean gradient that goes on. Default 0.95. */
  readonly momentum?: ScheduleLike | undefined;
  /** Look ahead along the momentum. Default true. */
  readonly nesterov?: boolean | undefined;
  /** Iterations that make a step orthogonal. Default 5. */
  readonly nsSteps?: number | undefined;
  /** Coefficients of X, X Xᵀ X and (X Xᵀ)² X in an iteration. Default 3.4445, −4.775 and 2.0315. */
  readonly nsA?: number | undefined;
  readonly nsB?: number | undefined;
  readonly nsC?: number | undefined;
  /** Least length that a step is divided by. Default 1e-7. */
  readonly nsEps?: number | undefined;
  /**
   * Scale steps to the size of AdamW's, 0.2 √max(rows, columns), so that its rates serve here as well (Liu et al., 2025). Default false:
   * √max(1, rows / columns).
   */
  readonly matchRms?: boolean | undefined;
  /** Go by AdamW: for a group with the embeddings and the last layer. Default false. */
  readonly adamW?: boolean | undefined;
  /** Default 3e-4. */
  readonly adamLr?: ScheduleLike | undefined;
  /** Default 0. */
  readonly adamWeightDecay?: ScheduleLike | undefined;
  /** Default [0.9, 0.95]. */
  readonly betas?: readonly [ScheduleLike, ScheduleLike] | undefined;
  readonly beta1?: ScheduleLike | undefined;
  readonly beta2?: ScheduleLike | undefined;
  /** Default 1e-10. */
  readonly eps?: ScheduleLike | undefined;
}

/**
 * Muon (Jordan et al., 2024): the momentum of a matrix made orthogonal by Newton and Schulz's iteration. As torch.optim.Muon, but that the
 * iteration is in f32; a tensor of more than two axes is a matrix of its first axis by the others. Biases and norms go by AdamW. Default
 * lr 1e-3, weightDecay 0.1. A rank's part of a tensor is refused, and so is a device other than the CPU.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.muon({ lr: 0.02, weightDecay: 0.01, groups: [{ match: /embedding|head/, adamW: true }] }).rule; // "muon"
 */
export function muon(options: OptimizerOptions<MuonHypers> = {}): Optimizer {
  return define({ name: "muon", rule: "muon" }, options);
}

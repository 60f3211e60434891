// Scaled dot-product attention, fused: the scores are never written to memory (Dao et al. 2022).
import { checkOptions } from "../errors.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { requireTensor, type Weight } from "./require.js";

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** A query sees keys up to its own position. Default false. */
  readonly causal?: boolean | undefined;
  /** bool (true: look) or f32 (added to the scores), broadcast to [B, H, Tq, Tk]; has no gradient. */
  readonly mask?: Tensor | NdArray | undefined;
  /** Default 1 / √D. */
  readonly scale?: number | undefined;
  /** With `causal`: query i sees keys up to i + offset; for queries that follow cached keys. Default 0. */
  readonly causalOffset?: number | undefined;
}

/**
 * softmax(q kᵀ · scale) v. q f32 [B, H, Tq, D], k and v [B, Hkv, Tk, D], where Hkv divides H (query heads share key heads in
 * order, grouped-query attention) → [B, H, Tq, D]
 *
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function attention(q: Tensor, k: Weight, v: Weight, options: AttentionOptions = {}): Tensor {
  checkOptions("attention", options, ["causal", "mask", "scale", "causalOffset"]);
  requireTensor("attention", "q", q);
  const { mask, scale, causal = false, causalOffset = 0 } = options;
  const inputs = [q, q.operand(k), q.operand(v)];
  if (mask !== undefined) {
    const given = q.operand(mask);
    inputs.push(given.rank >= 4 ? given : given.reshape([...Array<number>(4 - given.rank).fill(1), ...given.shape]));
  }
  return q.trace.apply("attention", inputs, {
    causal,
    causal_offset: causalOffset,
    mask: mask !== undefined,
    ...(scale === undefined ? {} : { scale }),
  });
}

/** Options of {@link attentionPacked}. */
export interface PackedAttentionOptions {
  readonly heads: number;
  /** Default `heads`. */
  readonly kvHeads?: number | undefined;
  /** Default false. */
  readonly causal?: boolean | undefined;
  /** Default 1 / √D. */
  readonly scale?: number | undefined;
}

/**
 * Self-attention of one fused projection [B, T, (H + 2 Hkv) D], queries first, then keys, then values → [B, T, H D]. Nothing
 * is transposed on the way.
 *
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function attentionPacked(qkv: Tensor, options: PackedAttentionOptions): Tensor {
  checkOptions("attentionPacked", options, ["heads", "kvHeads", "causal", "scale"]);
  requireTensor("attentionPacked", "qkv", qkv);
  const { heads, kvHeads = heads, causal = false, scale } = options;
  return qkv.trace.apply("attention_packed", [qkv], {
    heads,
    kv_heads: kvHeads,
    causal,
    ...(scale === undefined ? {} : { scale }),
  });
}

// Multi-head attention (Vaswani et al. 2017) with grouped queries (Ainslie et al. 2023) and rotary positions (Su et al. 2021),
// and the transformer block around it. One projection gives queries, keys and values together; the engine's attention reads
// them where they lie. Only a mask or rotary positions need the heads apart.
import { requireAboveZero, requireCount, requireOneOf, requireWithin } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, ShapeError } from "../errors.js";
import { attention as attend, attentionPacked } from "../ops/attention.js";
import { concat } from "../ops/join.js";
import { dropout as drop } from "../ops/source.js";
import { array, showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { activation, type Activation, type ActivationName } from "./activation.js";
import { linear, type Linear } from "./linear.js";
import { Module } from "./module.js";
import { layerNorm, rmsNorm, type LayerNorm, type RmsNorm } from "./norm.js";
import { requireFlag } from "./sizes.js";

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Features of input and output; a multiple of `heads`. */
  readonly dim: number;
  readonly heads: number;
  /** Heads of keys and values, each shared by heads / kvHeads query heads in a row. Default `heads`. */
  readonly kvHeads?: number | undefined;
  /** A position sees itself and those before it. Default false. */
  readonly causal?: boolean | undefined;
  /** Of the result, in training. Default 0. */
  readonly dropout?: number | undefined;
  /** Of both projections. Default true. */
  readonly bias?: boolean | undefined;
  /** Rotary positions: true for the base 10,000, or another base. Default false. */
  readonly rotary?: boolean | number | undefined;
}

const attentionOptions = ["dim", "heads", "kvHeads", "causal", "dropout", "bias", "rotary"];

/** Self-attention with a fused projection `qkv` [(H + 2 Hkv) D, dim] and an output projection `out` [dim, H D]. */
export class Attention extends Module {
  readonly heads: number;
  readonly kvHeads: number;
  /** Features of a head, D. */
  readonly depth: number;
  readonly causal: boolean;
  readonly dropout: number;
  /** Base of the rotary positions; 0 without. */
  readonly rotary: number;
  qkv: Linear;
  out: Linear;

  constructor(options: AttentionOptions) {
    super();
    checkOptions("attention", options, attentionOptions);
    const { dim, heads, kvHeads = heads, bias = true, rotary = false } = options;
    requireCount("attention", "dim", dim);
    requireFlag("attention", "bias", bias);
    requireCount("attention", "heads", heads);
    requireCount("attention", "kvHeads", kvHeads);
    if (dim % heads !== 0) throw new ArgumentError(`attention: heads must divide dim, got ${heads} heads for ${dim}`);
    if (heads % kvHeads !== 0) {
      throw new ArgumentError(`attention: kvHeads must divide heads, got ${kvHeads} key heads for ${heads} heads`);
    }
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.depth = dim / heads;
    this.causal = options.causal ?? false;
    this.dropout = options.dropout ?? 0;
    requireWithin("attention", "dropout", this.dropout, 0, 1);
    this.rotary = typeof rotary === "number" ? rotary : rotary ? 10_000 : 0;
    if (rotary !== false) requireAboveZero("attention", "rotary", this.rotary);
    if (this.rotary > 0 && (dim / heads) % 2 !== 0) {
      throw new ArgumentError(`attention: rotary positions turn pairs, got ${dim / heads} features a head`);
    }
    this.qkv = linear(dim, (heads + 2 * kvHeads) * (dim / heads), { bias });
    this.out = linear(dim, dim, { bias });
  }

  get dim(): number {
    return this.qkv.inFeatures;
  }

  override describe(): string {
    const shared = this.kvHeads === this.heads ? "" : `, ${this.kvHeads} key heads`;
    return `${this.dim}, ${this.heads} heads${shared}${this.causal ? ", causal" : ""}`;
  }

  /** x (B, T, C), mask bool or f32 that broadcasts to (B, H, T, T) → (B, T, C) */
  forward(x: Tensor, mask?: Tensor): Tensor {
    if (x.rank !== 3) throw new ShapeError(`attention: takes [B, T, ${this.dim}], got ${showShape(x.shape)}`);
    const { heads, kvHeads, causal } = this;
    const qkv = this.qkv.forward(x); // (B, T, (H + 2 Hkv) D)
    const apart = mask !== undefined || this.rotary > 0;
    const y = apart ? this.withHeadsApart(qkv, mask) : attentionPacked(qkv, { heads, kvHeads, causal });
    return drop(this.out.forward(y), this.dropout);
  }

  private withHeadsApart(qkv: Tensor, mask: Tensor | undefined): Tensor {
    const { heads, kvHeads, causal } = this;
    const [B, T] = qkv.shape as [number, number];
    const { depth } = this;
    const part = (first: number, count: number) =>
      qkv
        .slice(null, null, [first * depth, (first + count) * depth])
        .reshape([B, T, count, depth])
        .swapAxes(1, 2); // (B, count, T, D)
    const turned = (t: Tensor) => (this.rotary > 0 ? rotate(t, this.rotary) : t);
    const q = turned(part(0, heads));
    const k = turned(part(heads, kvHeads));
    const y = attend(q, k, part(heads + kvHeads, kvHeads), { causal, mask });
    return y.swapAxes(1, 2).reshape([B, T, heads * depth]);
  }
}

// Features i and i + D/2 of position t turned by the angle t / base^(2 i / D). x (B, H, T, D)
function rotate(x: Tensor, base: number): Tensor {
  const [T, D] = x.shape.slice(-2) as [number, number];
  const half = D / 2;
  const angles = Array.from({ length: T * half }, (_, at) => Math.floor(at / half) / base ** ((2 * (at % half)) / D));
  const [cos, sin] = [Math.cos, Math.sin].map((f) =>
    array(
      angles.map((angle) => f(angle)),
      [T, half],
    ),
  ) as [ReturnType<typeof array>, ReturnType<typeof array>];
  const [a, b] = [x.slice(null, null, null, [0, half]), x.slice(null, null, null, [half, D])];
  return concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1);
}

/**
 * Multi-head self-attention of f32 (B, T, dim) → (B, T, dim). Rows of `qkv.weight` give all queries, then keys, then values;
 * a head takes dim / heads of them in a row. A mask may be given as the second input of `forward`.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 * @example
 * nn.attention({ dim: 64, heads: 4, kvHeads: 2, causal: true }).qkv.weight.shape; // [128, 64]
 */
export function attention(options: AttentionOptions): Attention {
  return new Attention(options);
}

/** Options of {@link transformerBlock}. */
export interface TransformerBlockOptions extends AttentionOptions {
  /** Features between the two linear layers. Default 4 · dim. */
  readonly hidden?: number | undefined;
  /** Where the norms stand: before each part ("pre", the default), or after each sum ("post", as in the original). */
  readonly norm?: "pre" | "post" | undefined;
  /** Default "layer". */
  readonly normKind?: "layer" | "rms" | undefined;
  /** Default "gelu". */
  readonly activation?: ActivationName | undefined;
}

/** Attention and a two-layer perceptron, each around a shortcut and with a norm. */
export class TransformerBlock extends Module {
  readonly order: "pre" | "post";
  readonly dropout: number;
  norm1: LayerNorm | RmsNorm;
  attention: Attention;
  norm2: LayerNorm | RmsNorm;
  up: Linear;
  activation: Activation;
  down: Linear;

  constructor(options: TransformerBlockOptions) {
    super();
    checkOptions("transformerBlock", options, [...attentionOptions, "hidden", "norm", "normKind", "activation"]);
    requireCount("transformerBlock", "dim", options.dim);
    const { hidden = 4 * options.dim, norm = "pre", normKind = "layer", activation: name = "gelu", ...inner } = options;
    requireOneOf("transformerBlock", "norm", norm, ["pre", "post"]);
    requireOneOf("transformerBlock", "normKind", normKind, ["layer", "rms"]);
    const { dim, bias = true, dropout = 0 } = inner;
    const makeNorm = () => (normKind === "rms" ? rmsNorm(dim) : layerNorm(dim));
    this.order = norm;
    this.dropout = dropout;
    this.norm1 = makeNorm();
    this.attention = new Attention(inner);
    this.norm2 = makeNorm();
    this.up = linear(dim, hidden, { bias });
    this.activation = activation("transformerBlock", name);
    this.down = linear(hidden, dim, { bias });
  }

  override describe(): string {
    return `${this.attention.describe()}, hidden ${this.up.outFeatures}`;
  }

  /** x (B, T, C), a mask as for {@link Attention} → (B, T, C) */
  forward(x: Tensor, mask?: Tensor): Tensor {
    const look = (t: Tensor) => (mask ? this.attention.forward(t, mask) : this.attention.forward(t));
    const think = (t: Tensor) => drop(this.down.forward(this.activation.forward(this.up.forward(t))), this.dropout);
    if (this.order === "post") {
      const y = this.norm1.forward(x.add(look(x)));
      return this.norm2.forward(y.add(think(y)));
    }
    const y = x.add(look(this.norm1.forward(x)));
    return y.add(think(this.norm2.forward(y)));
  }
}

/**
 * A transformer block: x + attention(norm1(x)), then x + down(activation(up(norm2(x)))). f32 (B, T, dim) → (B, T, dim)
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 * @example
 * const block = nn.transformerBlock({ dim: 64, heads: 4, causal: true, dropout: 0.1 });
 * block.up.weight.shape; // [256, 64]
 */
export function transformerBlock(options: TransformerBlockOptions): TransformerBlock {
  return new TransformerBlock(options);
}

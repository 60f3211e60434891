// Layers without parameters: activations, softmax, dropout, flatten.
import { requireOneOf, requireFinite } from "../guidance/arguments.js";
import { ArgumentError } from "../errors.js";
import * as ops from "../ops/activation.js";
import { got } from "../names/got.js";
import { dropout as drop } from "../ops/source.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Names of activations, for layers that take one as an option. */
export type ActivationName =
  "relu" | "gelu" | "geluTanh" | "silu" | "tanh" | "sigmoid" | "softplus" | "leakyRelu" | "elu" | "identity";

const functions: Record<ActivationName, (x: Tensor) => Tensor> = {
  relu: (x) => x.relu(),
  gelu: (x) => x.gelu(),
  geluTanh: (x) => x.gelu("tanh"),
  silu: (x) => x.silu(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  softplus: (x) => x.softplus(),
  leakyRelu: (x) => ops.leakyRelu(x),
  elu: (x) => ops.elu(x),
  identity: (x) => x,
};

/** A function of each element on its own. */
export class Activation extends Module {
  private readonly named: ActivationName;
  private readonly apply: (x: Tensor) => Tensor;
  private readonly description: string;

  constructor(kind: ActivationName, f: (x: Tensor) => Tensor = functions[kind], description = "") {
    super();
    this.named = kind;
    this.apply = f;
    this.description = description;
  }

  override get kind(): ActivationName {
    return this.named;
  }

  override describe(): string {
    return this.description;
  }

  forward(x: Tensor): Tensor {
    return this.apply(x);
  }
}

/** The activation of a name. @throws ArgumentError for another one. */
export function activation(where: string, name: ActivationName): Activation {
  requireOneOf(where, "activation", name, Object.keys(functions));
  return new Activation(name);
}

/** max(x, 0) */
export function relu(): Activation {
  return new Activation("relu");
}

/**
 * x Φ(x) by the error function, or its approximation by tanh (Hendrycks and Gimpel 2016).
 *
 * @param form default "erf".
 */
export function gelu(form: "erf" | "tanh" = "erf"): Activation {
  requireOneOf("gelu", "form", form, ["erf", "tanh"]);
  return new Activation(form === "erf" ? "gelu" : "geluTanh");
}

/** x sigmoid(x) */
export function silu(): Activation {
  return new Activation("silu");
}

/** The hyperbolic tangent. */
export function tanh(): Activation {
  return new Activation("tanh");
}

/** 1 / (1 + e⁻ˣ) */
export function sigmoid(): Activation {
  return new Activation("sigmoid");
}

/** log(1 + eˣ) */
export function softplus(): Activation {
  return new Activation("softplus");
}

/** x where it is above 0, else slope · x. @param slope default 0.01. */
export function leakyRelu(slope = 0.01): Activation {
  requireFinite("leakyRelu", "slope", slope);
  return new Activation("leakyRelu", (x) => ops.leakyRelu(x, slope), String(slope));
}

/** x where it is above 0, else alpha (eˣ − 1) (Clevert et al. 2015). @param alpha default 1. */
export function elu(alpha = 1): Activation {
  requireFinite("elu", "alpha", alpha);
  return new Activation("elu", (x) => ops.elu(x, alpha), String(alpha));
}

/** eˣ / Σ eˣ along an axis. */
export class Softmax extends Module {
  readonly axis: number;

  constructor(axis: number) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return x.softmax(this.axis);
  }
}

/** eˣ / Σ eˣ along an axis, the last by default. Not before `loss.crossEntropy`, which takes the scores themselves. */
export function softmax(axis = -1): Softmax {
  return new Softmax(axis);
}

/** Elements left out at random while training. */
export class Dropout extends Module {
  readonly p: number;

  constructor(p: number) {
    super();
    requireShare("dropout", "nn.dropout(0.5)", p);
    this.p = p;
  }

  override describe(): string {
    return String(this.p);
  }

  forward(x: Tensor): Tensor {
    return drop(x, this.p);
  }
}

/**
 * In training each element is 0 with probability `p` and the others are scaled by 1 / (1 − p); in use nothing happens
 * (Srivastava et al. 2014). Drawn anew at every step, the same for the same seed, on any number of threads.
 *
 * @param p from 0 to 1. Default 0.5.
 * @throws ArgumentError
 */
export function dropout(p = 0.5): Dropout {
  return new Dropout(p);
}

function requireShare(where: string, usage: string, value: unknown): void {
  if (typeof value === "number" && value >= 0 && value <= 1) return;
  const share = typeof value === "number" && value >= 5 && value <= 100 ? `nn.${where}(${value / 100})` : usage;
  throw new ArgumentError(`${where}: p must be from 0 to 1, got ${got(value)}; write ${share}`);
}

/** Dimensions made one. */
export class Flatten extends Module {
  readonly start: number;

  constructor(start: number) {
    super();
    this.start = start;
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.start);
  }
}

/** Dimensions from `start` on made one: by default all of a sample, [N, …] → [N, features]. */
export function flatten(start = 1): Flatten {
  return new Flatten(start);
}

// Modules made of others: one after the other, and around a shortcut.
import { ArgumentError, ShapeError } from "../errors.js";
import { showShape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { call, Module, requireModule, type ModuleLike } from "./module.js";

/** Layers one after the other; its parameters are named by the number of their layer, "0.weight". */
export class Sequential extends Module {
  readonly layers: readonly ModuleLike[];

  constructor(layers: readonly ModuleLike[]) {
    super();
    layers.forEach((layer, i) => requireModule(`sequential: layer ${i}`, layer));
    this.layers = Object.freeze([...layers]);
  }

  override members(): [string, unknown][] {
    return this.layers.map((layer, i) => [String(i), layer]);
  }

  override describe(): string {
    return this.layers.map((layer) => (layer instanceof Module ? String(layer) : layer.name || "function")).join(", ");
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce<Tensor>(
      (y, layer, i) => (layer instanceof Module ? layer.forward(y) : y.trace.scoped(String(i), () => call(layer, y))),
      x,
    );
  }
}

/**
 * Layers one after the other; a layer may be a plain function of a tensor.
 *
 * @throws ArgumentError for a layer that is neither.
 * @example
 * const model = nn.sequential(nn.flatten(), nn.linear(784, 10), (x) => x.mul(2));
 * model.namedParameters().length; // 2
 */
export function sequential(...layers: ModuleLike[]): Sequential {
  return new Sequential(layers);
}

/** x + inner(x) */
export class Residual extends Module {
  readonly inner: ModuleLike;

  constructor(inner: ModuleLike) {
    super();
    requireModule("residual", inner);
    this.inner = inner;
  }

  override describe(): string {
    return this.inner instanceof Module ? String(this.inner) : this.inner.name;
  }

  forward(x: Tensor): Tensor {
    const y = call(this.inner, x);
    if (showShape(x.shape) !== showShape(y.shape)) {
      throw new ShapeError(
        `residual: the inner module turns ${showShape(x.shape)} into ${showShape(y.shape)}, expected the same shape to add`,
      );
    }
    return x.add(y);
  }
}

/**
 * x + inner(x) (He et al. 2015). Several modules stand for their sequence.
 *
 * @throws ArgumentError; ShapeError when traced, if `inner` changes the shape.
 * @example
 * const block = nn.residual(nn.layerNorm(64), nn.linear(64, 64), nn.gelu());
 */
export function residual(...inner: ModuleLike[]): Residual {
  if (inner.length === 0) throw new ArgumentError("residual: expected a module, got none");
  return new Residual(inner.length === 1 ? inner[0]! : new Sequential(inner));
}

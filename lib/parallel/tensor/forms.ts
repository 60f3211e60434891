// How a rank's part of a weight is used: the collectives of tensor parallelism stand where a layer multiplies by its weight, adds its
// bias or looks up its rows, so that a model of any make is divided without exchanging its layers (Megatron-LM, Shoeybi et al. 2019).
import { UnsupportedError } from "../../errors.js";
import type { Conv2dGeometry, Parametrization, PartOf } from "../../tensor/parametrization.js";
import { array } from "../../tensor/nd-array.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Trace } from "../../tensor/trace.js";
import { allGather, allReduce, partsOf, reduceScatter, replicated } from "../collectives.js";
import type { RankGroup } from "../group.js";

/** What a part of a parameter is for. */
export type Role = "column" | "row" | "part" | "logits" | "vocabulary" | "tied" | "logits bias";

const place = (x: Tensor): { readonly axis: 1; readonly sizes: readonly number[] } | undefined =>
  x.trace.tokens && x.rank === 3 ? { axis: 1, sizes: x.trace.tokens.sizes } : undefined;

const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

// One value a trace, however many weights multiply it: its gradients are added up before they are summed over ranks.
const shared = new WeakMap<Tensor, Map<RankGroup, Tensor>>();
function sharedBy(group: RankGroup, x: Tensor): Tensor {
  const own = shared.get(x) ?? new Map<RankGroup, Tensor>();
  shared.set(x, own);
  const tokens = place(x);
  const known = own.get(group) ?? (tokens ? allGather(x, { group, ...tokens }) : replicated(x, { group }));
  own.set(group, known);
  return known;
}

/** A rank's part of a parameter. */
export class TensorForm implements Parametrization {
  readonly kind = "a part of a tensor";
  readonly parts = {};
  readonly packed = false;
  readonly role: Role;
  readonly part: PartOf;
  private readonly group: RankGroup;

  private readonly divides: boolean;

  /** @param divides whether rows of tokens go on to the ranks that have these tokens. */
  constructor(role: Role, group: RankGroup, part: PartOf, divides = false) {
    this.divides = divides;
    this.role = role;
    this.group = group;
    this.part = part;
  }

  // Extents of the parts.
  private get sizes(): number[] {
    return this.part.places.map(({ length }) => length);
  }

  tensor(_trace: Trace, master: Tensor | undefined): Tensor {
    if (this.role === "part") return master!;
    throw new UnsupportedError(
      `parallel.tensor: a weight that is divided (${this.role}) is used in another way than by x.matmul(weight), ops.conv2d or ops.embedding; leave it whole: { keep: … }`,
    );
  }

  matmul(x: Tensor, master: Tensor | undefined, transB: boolean): Tensor | undefined {
    const { group } = this;
    const product = (input: Tensor) =>
      input.trace.apply("matmul", [input, master!], { trans_a: false, trans_b: transB });
    switch (this.role) {
      case "column":
        return product(sharedBy(group, x));
      case "row": {
        const part = product(x);
        const tokens = place(part);
        return tokens ? reduceScatter(part, { group, ...tokens }) : allReduce(part, { group, gradient: "same" });
      }
      case "logits":
      case "tied":
        return this.gather(product(sharedBy(group, x)));
      default:
        return undefined;
    }
  }

  conv2d(x: Tensor, master: Tensor | undefined, geometry: Conv2dGeometry): Tensor | undefined {
    const { group } = this;
    const image = (input: Tensor) => input.trace.apply("conv2d", [input, master!], { ...geometry });
    if (this.role === "column") return image(sharedBy(group, x));
    return this.role === "row" ? allReduce(image(x), { group, gradient: "same" }) : undefined;
  }

  // Rows of other ranks are 0 here, so that the sum over ranks has every row once.
  rows(index: Tensor, master: Tensor | undefined): Tensor | undefined {
    if (this.role !== "vocabulary" && this.role !== "tied") return undefined;
    const { group, sizes } = this;
    const first = total(sizes.slice(0, group.rank));
    const own = sizes[group.rank]!;
    const numbers = index.cast("i32");
    const inside = numbers.trace.apply("logical_and", [numbers.ge(first), numbers.lt(first + own)]);
    const local = inside.where(numbers.sub(first), numbers.mul(0));
    const found = index.trace.apply("embedding", [master!, local]);
    const mask = inside.cast("f32").reshape([...index.shape, 1]);
    const masked = found.mul(mask).add(outOfRange(numbers, total(sizes)));
    if (!this.divides || index.rank !== 2) return allReduce(masked, { group, gradient: "same" });
    // From here on every rank has its tokens, until a layer gathers them.
    const tokens = { group: group.native, sizes: partsOf(index.shape[1]!, group.size) };
    index.trace.tokens = tokens;
    return reduceScatter(masked, { group, axis: 1, sizes: tokens.sizes });
  }

  // product + bias, where the product is gathered: the bias is added to this rank's part.
  addTo(x: Tensor, master: Tensor | undefined): Tensor | undefined {
    if (this.role !== "logits bias") return undefined;
    const known = x.trace.gathered.get(x);
    if (known) return this.gather(known.part.add(master!));
    throw new UnsupportedError("parallel.tensor: a bias of divided outputs is added to something else than them");
  }

  private gather(part: Tensor): Tensor {
    const { group, sizes } = this;
    const whole = allGather(part, { group, axis: part.rank - 1, sizes, gradient: "same" });
    part.trace.gathered.set(whole, { part, sizes, group: group.native });
    return whole;
  }

  clone(): TensorForm {
    return new TensorForm(this.role, this.group, this.part, this.divides);
  }

  dispose(): void {
    // Nothing of its own.
  }
}

/** A whole parameter that each rank uses for its tokens alone: its gradient is the sum over all tokens. */
export class TokenForm implements Parametrization {
  readonly kind = "used token by token";
  readonly parts = {};
  readonly packed = false;
  private readonly group: RankGroup;

  constructor(group: RankGroup) {
    this.group = group;
  }

  tensor(trace: Trace, master: Tensor | undefined): Tensor {
    return trace.tokens ? replicated(master!, { group: this.group }) : master!;
  }

  clone(): TokenForm {
    return new TokenForm(this.group);
  }

  dispose(): void {
    // Nothing of its own.
  }
}

// 0 for every number below `count`; a run that meets another ends with the sentence of a table of so many rows, on all ranks.
function outOfRange(index: Tensor, count: number): Tensor {
  const table = index.trace.constant(array(new Float32Array(0), [count, 0]));
  return index.trace.apply("embedding", [table, index]).sum(-1, { keep: true });
}

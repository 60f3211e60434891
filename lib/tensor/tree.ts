// Nested arguments and results: a leaf, a list or a record of such. Leaves are visited in a fixed order and named by their path.
import { NdArray } from "./nd-array.js";
import { Tensor } from "./tensor.js";

/** A leaf, or lists and records of them. */
export type Tree<Leaf> = Leaf | readonly Tree<Leaf>[] | { readonly [key: string]: Tree<Leaf> };

/** The same structure with host arrays where tensors stand. */
export type Host<T> = T extends Tensor ? NdArray : { [K in keyof T]: Host<T[K]> };

/** The same structure with tensors where host arrays stand. */
export type Traced<T> = T extends NdArray ? Tensor : { [K in keyof T]: Traced<T[K]> };

/** One leaf with its path, such as `0.x`. */
export interface NamedLeaf<Leaf> {
  readonly path: string;
  readonly leaf: Leaf;
}

const isLeaf = (value: unknown): boolean => value instanceof NdArray || value instanceof Tensor;

/** All leaves in order. What is no leaf, list or record is reported to `strange`. */
export function leavesOf<Leaf>(
  tree: unknown,
  strange: (path: string, value: unknown) => never,
  path = "",
): NamedLeaf<Leaf>[] {
  if (isLeaf(tree)) return [{ path, leaf: tree as Leaf }];
  const under = (key: string) => (path === "" ? key : `${path}.${key}`);
  if (Array.isArray(tree)) return tree.flatMap((item, i) => leavesOf<Leaf>(item, strange, under(String(i))));
  if (typeof tree === "object" && tree !== null && Object.getPrototypeOf(tree) === Object.prototype) {
    return Object.entries(tree).flatMap(([key, item]) => leavesOf<Leaf>(item, strange, under(key)));
  }
  return strange(path, tree);
}

/** The structure with every leaf replaced, in the order of {@link leavesOf}. */
export function mapTree(tree: unknown, replace: (leaf: unknown, path: string) => unknown, path = ""): unknown {
  if (isLeaf(tree)) return replace(tree, path);
  const under = (key: string) => (path === "" ? key : `${path}.${key}`);
  if (Array.isArray(tree)) return tree.map((item, i) => mapTree(item, replace, under(String(i))));
  return Object.fromEntries(
    Object.entries(tree as object).map(([key, item]) => [key, mapTree(item, replace, under(key))]),
  );
}

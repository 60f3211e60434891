// What becomes of a Tensor that is used as a JavaScript value. It has no value while its function is traced, so that every such use
// throws and names what to write; only printing works. `if (tensor)` cannot be seen at run time: docs/guide/tensors.md has the lint
// rules that see it.
import { ArgumentError } from "../errors.js";

interface Described {
  toString(): string;
}

const nothing = "has no value yet: it stands for one in the function being traced";

function refuse(use: string, way: string): never {
  throw new ArgumentError(`${use}: a Tensor ${nothing}; ${way}`);
}

function toPrimitive(this: Described, hint: string): string {
  if (hint === "string") return this.toString();
  return refuse(
    hint === "number" ? "number" : "operator",
    "write x.mul(2) for x * 2, x.add(1) for x + 1, x.exp() for Math.exp(x), x.gt(0) for x > 0, ops.where(x.gt(0), a, b) for x > 0 ? a : b, and return it from the function to get its numbers",
  );
}

// Names that arrays have and tensors have not; any of them read as undefined would go on silently, such as a loop to x.length.
const strangers: Readonly<Record<string, string>> = {
  length: "x.shape[0] is the extent of its first dimension, x.shape all of them",
  data: "return it from the function; the array that a run gives has data",
};

const missing: ProxyHandler<object> = {
  get(target, key, receiver) {
    if (typeof key === "string") {
      if (/^-?\d+$/.test(key)) {
        refuse(`tensor[${key}]`, `write x.slice([${key}, ${Number(key) + 1}]) for a part of its first dimension`);
      }
      if (Object.hasOwn(strangers, key)) refuse(`tensor.${key}`, strangers[key]!);
    }
    return Reflect.get(target, key, receiver) as unknown;
  },
};

/** Makes instances of a class throw where they are taken for a value, a list or a record; `base` is what it inherits from last. */
export function guardAgainstMisuse(prototype: Described, base: object = prototype): void {
  const define = (key: PropertyKey, value: (this: Described, ...args: never[]) => unknown) =>
    Object.defineProperty(prototype, key, { value, configurable: true, writable: true });
  define(Symbol.toPrimitive, toPrimitive);
  define(Symbol.iterator, () =>
    refuse("iteration", "write x.slice([i, i + 1]) for its parts, or return it and read what run() gives"),
  );
  define("toJSON", () => refuse("JSON", "return it from the function, and write the array that a run gives"));
  Object.setPrototypeOf(base, new Proxy(Object.prototype, missing));
}

// Methods that models, optimizers and tensors have in other libraries. They are on the prototypes, not in the types: TypeScript
// refuses them, and JavaScript gets a sentence instead of "model.fit is not a function". A class that has a method of such a name
// of its own is not touched by them.
import { ArgumentError } from "../errors.js";

/** Gives `prototype` methods that throw: the way instead, a clause such as "write x.shape", by the name of the method. */
export function teachMethods(
  prototype: object,
  kind: string,
  instead: Readonly<Record<string | symbol, string>>,
): void {
  for (const name of Reflect.ownKeys(instead)) {
    const way = instead[name as string]!;
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: false,
      writable: true,
      value: (): never => {
        throw new ArgumentError(`${kind}.${nameOf(name)}: there is no such method here; ${way}`);
      },
    });
  }
}

const nameOf = (name: string | symbol): string =>
  typeof name === "symbol" ? (name.description ?? "").replace("Symbol.", "") : name;

// Functions of the package that make something, and its classes, by the names under which users write them: whoever hands one over
// without having called it is told so at once, instead of by what comes of it later.
import { isClass } from "../names/got.js";

const names = new WeakMap<object, string>();
const spellings = new Map<string, string>();

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

// What Keras calls them.
const elsewhere: Readonly<Record<string, string>> = {
  categoricalcrossentropy: "crossEntropy",
  sparsecategoricalcrossentropy: "crossEntropy",
  binarycrossentropy: "bceWithLogits",
  meansquarederror: "mse",
  meanabsoluteerror: "mae",
  acc: "accuracy",
  dense: "linear",
};

/**
 * Notes the exports of a namespace.
 *
 * @param functions names that take tensors and are handed over as they are.
 */
export function noteFactories(namespace: string, exports: object, functions: readonly string[] = []): void {
  for (const [key, value] of Object.entries(exports) as [string, unknown][]) {
    if (typeof value !== "function" || functions.includes(key)) continue;
    const name = isClass(value) ? `${key.charAt(0).toLowerCase()}${key.slice(1)}` : key;
    if (name in exports) names.set(value, `${namespace}.${name}`);
    if (name in exports) spellings.set(`${namespace}.${plain(name)}`, `${namespace}.${name}`);
  }
}

/** What an uncalled factory or a bare class ought to be, such as "call it: nn.relu()"; undefined for anything else. */
export function uncalled(value: unknown): string | undefined {
  if (typeof value !== "function") return undefined;
  const name = names.get(value);
  if (name === undefined) return undefined;
  return isClass(value) ? `it is made by ${name}(…)` : `${name} makes one when it is called: write ${name}()`;
}

/** What a text such as "mse" or "categorical_crossentropy" stands for in a namespace, such as "write loss.mse()". */
export function spelled(namespace: string, text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  const key = elsewhere[plain(text)] ?? text;
  const name = spellings.get(`${namespace}.${plain(key)}`);
  return name === undefined ? undefined : `write ${name}()`;
}

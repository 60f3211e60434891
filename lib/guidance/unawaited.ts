// A promise whose result is used as if it were there: without a word, `artifact.load(path).predict(x)` is "predict is not a
// function". The promise gets properties of the result's names that say what is missing; `await` never looks at them.
import { ArgumentError } from "../errors.js";

/**
 * The same promise, on which reading one of `names` throws.
 *
 * @example
 * const set = unawaited("data.mnist", ["train", "test"], Promise.resolve({ train: 1, test: 2 }));
 * (await set).train; // 1; without await: ArgumentError
 */
export function unawaited<T>(where: string, names: readonly (string | symbol)[], promise: Promise<T>): Promise<T> {
  for (const name of names) {
    void Object.defineProperty(promise, name, {
      configurable: true,
      enumerable: false,
      get(): never {
        throw new ArgumentError(
          `${where}: it gives a Promise, on which there is no ${String(name)} yet; await it: const result = await ${where}(…)`,
        );
      },
    });
  }
  return promise;
}

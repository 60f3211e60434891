// Images as samples: bytes as they are stored, with the rule by which a model reads them.
import { checkOptions, ShapeError } from "../errors.js";
import { checkPreprocessing, type NormalizePreprocessing } from "../preprocess/index.js";
import { showShape } from "../tensor/nd-array.js";
import { Dataset, type Samples } from "./dataset.js";
import { requireSamples } from "./samples.js";

/** Options of {@link images}. */
export interface ImagesOptions {
  /** All values are divided by it. Default 255 for bytes, so that a model computes with 0 to 1; 1 for others. */
  readonly divide?: number | undefined;
  /** Subtracted from the divided values, one number a channel, such as `[0.485, 0.456, 0.406]`. Default none. */
  readonly mean?: readonly number[] | undefined;
  /** Divided by then, one number a channel. Default none. */
  readonly deviation?: readonly number[] | undefined;
  /** How images are stored; models compute with `"NCHW"`. Default `"NCHW"`. */
  readonly layout?: "NCHW" | "NHWC" | undefined;
  /** Names of the classes that y counts. */
  readonly classes?: readonly string[] | undefined;
}

/**
 * A data set of images, with the rule by which models read them: (value / divide − mean) / deviation. The rule is part of a model
 * that is trained on them, also when it is saved; predictions take images as these are stored.
 *
 * @param samples x u8 or f32 [n, C, H, W] (or [n, H, W, C] by `layout`; other shapes can be divided alone), y [n, …].
 * @throws ShapeError, ArgumentError for a rule that does not fit
 * @example
 * const photos = { x: array(new Uint8Array(2 * 3 * 8 * 8), [2, 3, 8, 8]), y: array(Uint8Array.of(0, 1)) };
 * const set = data.images(photos, { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] });
 * set.length; // 2
 */
export function images(samples: Samples, options: ImagesOptions = {}): Dataset {
  const where = "data.images";
  checkOptions(where, options, ["divide", "mean", "deviation", "layout", "classes"]);
  requireSamples(where, samples);
  const { mean, deviation, layout, classes } = options;
  const divide = options.divide ?? (samples.x?.dtype === "u8" ? 255 : 1);
  const preprocessing: NormalizePreprocessing = {
    kind: "normalize",
    ...((layout !== undefined || mean !== undefined || deviation !== undefined) && { layout: layout ?? "NCHW" }),
    ...(divide !== 1 && { divide }),
    ...(mean && { mean }),
    ...(deviation && { deviation }),
  };
  checkPreprocessing(where, preprocessing);
  const set = new Dataset({ ...samples, info: { ...(classes && { task: "classification", classes }), preprocessing } });
  const { shape } = set.x;
  const channels = shape[preprocessing.layout === "NHWC" ? 3 : 1];
  if (preprocessing.layout !== undefined && shape.length !== 4) {
    throw new ShapeError(
      `${where}: expected images [n, ${preprocessing.layout.slice(1).split("").join(", ")}], got ${showShape(shape)}`,
    );
  }
  for (const [name, values] of Object.entries({ mean, deviation })) {
    if (!values || values.length === channels) continue;
    throw new ShapeError(
      `${where}: ${name} has ${values.length} numbers, the images have ${channels} channels (x ${showShape(shape)}, layout ${preprocessing.layout})`,
    );
  }
  return set;
}

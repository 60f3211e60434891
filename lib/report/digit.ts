// Grey images as PNG data URIs: ink on paper, as the eye expects a digit (MNIST stores ink as 255).

import { ArgumentError } from "../errors.js";
import { optional } from "../guidance/optional.js";

/** An encoder of images; the library is loaded once a report needs it. */
export async function imageEncoder(): Promise<(pixels: Uint8Array, width?: number) => string> {
  const { encode } = await optional("report", "a picture of a mistake", ["fast-png"], () => import("fast-png"));
  return (pixels, width) => {
    const columns = width ?? Math.sqrt(pixels.length);
    const rows = pixels.length / columns;
    if (!Number.isInteger(columns) || !Number.isInteger(rows)) {
      const fault = width === undefined ? "is no square" : `has no rows of ${width}`;
      throw new ArgumentError(`report: an image of ${pixels.length} pixels ${fault}; give the width of the mistake`);
    }
    const data = pixels.map((ink) => 255 - ink);
    const png = encode({ width: columns, height: rows, data, depth: 8, channels: 1 });
    return `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  };
}

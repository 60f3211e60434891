// Grey images as PNG data URIs: ink on paper, as the eye expects a digit (MNIST stores ink as 255).

import { ArgumentError } from "../errors.js";

/** An encoder of images; the library is loaded once a report needs it. */
export async function imageEncoder(): Promise<(pixels: Uint8Array, width?: number) => string> {
  const { encode } = await import("fast-png");
  return (pixels, width = Math.sqrt(pixels.length)) => {
    const height = pixels.length / width;
    if (!Number.isInteger(width) || !Number.isInteger(height)) {
      throw new ArgumentError(
        `report: expected ${width} columns to divide the image, got ${pixels.length} pixels; give width`,
      );
    }
    const png = encode({ width, height, data: pixels.map((ink) => 255 - ink), depth: 8, channels: 1 });
    return `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  };
}

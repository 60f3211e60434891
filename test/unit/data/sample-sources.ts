// Samples for tests of sources.
import { array, data } from "../../../lib/index.js";

/** Samples whose first number is their place. */
export const counted = (rows: number, from = 0) =>
  data.fromArrays({
    x: array(
      Float32Array.from({ length: rows * 2 }, (_, i) => from + (i >> 1) + (i % 2) / 10),
      [rows, 2],
    ),
    y: array(
      Int32Array.from({ length: rows }, (_, i) => (from + i) % 3),
      [rows],
    ),
  });
/** Images [2, 6, 5]. */
export const image = (rows: number) =>
  data.fromArrays({
    x: array(
      Uint8Array.from({ length: rows * 2 * 6 * 5 }, (_, i) => (i * 7) % 251),
      [rows, 2, 6, 5],
    ),
    y: array(Uint8Array.from({ length: rows }, (_, i) => i % 4)),
  });
/** The same samples as chunks of uneven sizes, as files give them, 1000 more each epoch. */
export const uneven = (rows: number) => {
  const set = counted(rows);
  return data.fromGenerator(
    { x: { dtype: "f32", shape: [2] }, y: { dtype: "i32", shape: [] }, name: "uneven", length: rows },
    async function* ({ epoch }) {
      for (let from = 0, size = 1; from < rows; from += size, size = (size % 7) + 2) {
        await new Promise((resolve) => setImmediate(resolve));
        const { x, y } = set.slice(from, from + size);
        yield {
          x: array(
            x.data.map((v) => v + epoch * 1000),
            x.shape,
          ),
          y,
        };
      }
    },
  );
};

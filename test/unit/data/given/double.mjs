// What `source.map` calls in threads: x doubled, and the place added to y.
import { array } from "athanor";

export default async ({ x, y }, { index }) => {
  if (x.data[0] < 0) throw new RangeError("a sample below 0");
  await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5)); // they end in another order
  return {
    x: array(
      x.data.map((value) => value * 2),
      x.shape,
    ),
    y: array(
      y.data.map((value, i) => value + index + i),
      y.shape,
    ),
  };
};

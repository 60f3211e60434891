// A tensor taken for a truth value, in every way that there is: the lint rules must see each marked line.
import { compile, type Tensor } from "../../lib/index.js";

export const f = compile((x: Tensor, y: Tensor) => {
  let z = x;
  if (x.gt(0)) z = y; // caught
  if (!x) z = y; // caught
  z = x.sum() ? z : y; // caught
  while (x) break; // caught
  for (; y;) break; // caught
  do z = y;
  while (!z); // caught
  z = x && y; // caught
  z = x || y; // caught
  const isOn = Boolean(x.gt(0) && true); // caught
  if (isOn) z = y;
  return z;
});

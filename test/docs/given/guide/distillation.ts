// What docs/guide/distillation.md takes for granted: a trained teacher, a smaller student, labelled, batched and half-labelled digits.
import { array, data, train } from "athanor";
import { digits as few, network, recipe } from "../digits.js";

export const digits = few;
export const teacher = network(64);
export const student = network(32);
await train.fit(teacher, digits.train, recipe);

const { x, y } = digits.train;
const count = x.shape[0]!;
export const batches = Array.from({ length: count / 64 }, (_, i) => ({
  x: array(Uint8Array.from(x.data.subarray(i * 64 * 784, (i + 1) * 64 * 784) as Uint8Array), [64, 1, 28, 28]),
  y: array(Uint8Array.from(y.data.subarray(i * 64, (i + 1) * 64) as Uint8Array)),
}));
const known = Uint8Array.from({ length: count }, (_, i) => (i % 10 === 0 ? Number(y.data[i]) : 255));
export const everything = data.fromArrays({ x, y: array(known) });

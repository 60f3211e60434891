// What docs/guide/pruning.md takes for granted: a trained model, its data, and how it is trained.
import * as athanor from "athanor";
import { digits as few, network, recipe as short } from "../digits.js";

export const digits = few;
export const model = network(32);
await athanor.train.fit(model, digits.train, short);
// The schedule of the page ends after 2000 steps.
export const recipe = { ...short, epochs: undefined, steps: 2100 };

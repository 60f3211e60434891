// What docs/internals/structured-pruning.md takes for granted: a trained model with channels.
import { nn, train } from "athanor";
import { digits, recipe } from "../digits.js";

export const model = nn.sequential(
  nn.conv2d(1, 16, { kernel: 3 }),
  nn.relu(),
  nn.globalAvgPool2d(),
  nn.flatten(),
  nn.linear(16, 10),
);
await train.fit(model, digits.train, recipe);

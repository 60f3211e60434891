// Stand-ins for what the pages train on and with: a few digits and a small network, so that every block takes moments.
import { data, loss, nn, optim } from "athanor";

const { train, test } = await data.mnist();

export const digits = { train: train.take(1024), test: test.take(256) };

export const network = (hidden: number) =>
  nn.sequential(nn.flatten(), nn.linear(784, hidden), nn.relu(), nn.linear(hidden, 10));

export const recipe = { loss: loss.crossEntropy(), optimizer: optim.adamW({ lr: 1e-3 }), batchSize: 64, epochs: 1 };

// Checkpoints that can be told apart and recognized as whole: all weights of step n are n.
import { array, loss, nn, optim, train } from "athanor";

const size = 16;
const batch = { x: array(new Float32Array(size), [1, size]), y: array(new Float32Array(size), [1, size]) };

function open(dir: string) {
  const model = nn.linear(size, size, { bias: false });
  const step = train.step(model, optim.momentum({ lr: 0 }), ({ x, y }) => loss.mse()(model.forward(x), y));
  const saved = train.checkpoints(step, { dir, keep: 2, every: 1000 });
  const end = () => {
    step.dispose();
    model.dispose();
  };
  return { model, step, saved, end };
}

/** Goes on from the newest sound checkpoint and writes the next; two are kept. Its number. */
export async function addVersion(dir: string): Promise<number> {
  const { model, step, saved, end } = open(dir);
  try {
    const { steps } = await saved.resume();
    await step.run(batch);
    model.weight.write(array(new Float32Array(size * size).fill(steps + 1), [size, size]));
    await saved.save({ version: steps + 1 });
    await saved.close();
    return steps + 1;
  } finally {
    await saved.close();
    end();
  }
}

/** The number of the checkpoint that a run would go on from; NaN for one whose parts are of several. */
export async function newestVersion(dir: string): Promise<number> {
  const { model, step, saved, end } = open(dir);
  try {
    const { steps, extra } = await saved.resume();
    if (steps === 0) return 0;
    await step.run(batch);
    const { data } = model.weight.readSync();
    const { version } = extra as { version: number };
    return steps === version && data.every((value) => value === version) ? version : NaN;
  } finally {
    await saved.close();
    end();
  }
}

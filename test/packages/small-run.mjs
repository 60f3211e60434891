// What an installed engine must do, in one short run: train, quantize, save, load and predict. Run in a folder beside
// node_modules/athanor; prints the processor's architecture and the instruction set, and fails where a number is not what it should be.
import { strict as assert } from "node:assert";
import { array, artifact, data, isa, loss, nn, optim, quantize, seed, setThreads, train } from "athanor";

seed(1);
setThreads(2);
const rows = 256;
const x = Float32Array.from({ length: rows * 8 }, (_, i) => Math.sin(i * 1.7));
const y = Int32Array.from({ length: rows }, (_, i) => (x[i * 8] + x[i * 8 + 1] > 0 ? 1 : 0));
const set = data.fromArrays({ x: array(x, [rows, 8]), y: array(y) });
const model = nn.sequential(nn.linear(8, 64), nn.relu(), nn.linear(64, 2));
const recipe = { loss: loss.crossEntropy(), optimizer: optim.adamW({ lr: 0.01 }), epochs: 20, batchSize: 32 };
const { history } = await train.fit(model, set, recipe);
const [first, last] = [history[0].metrics.loss, history.at(-1).metrics.loss];
assert(first > 0.3 && last < 0.1, `the loss went from ${first} to ${last}`);

const some = array(x.slice(0, 80), [10, 8]);
const wanted = await train.predict(model, some);
const small = await quantize(model, quantize.int8({ activations: "dynamic" }), { integers: "all" });
for (const [name, saved, tolerance] of [
  ["float", model, 1e-5],
  ["int8", small, 0.1],
]) {
  await artifact.save(saved, name, { input: { dtype: "f32", shape: [8] } });
  const served = await artifact.load(name);
  const got = await served.predict(some);
  const worst = got.data.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted.data[i])), 0);
  assert(worst <= tolerance, `${name} differs by ${worst} after saving and loading`);
}
console.log(
  `${process.platform} ${process.arch}, Node ${process.version}, ${isa()}: loss ${first.toFixed(3)} to ${last.toFixed(3)}`,
);

// Saves versions of an artifact until it is killed: version k has the weights k and says so in its graph. Messages, one a line:
// "ready" after the first. Arguments: the folder, the first version, the step to the next.
import { artifact, array, nn } from "athanor";

const [path, first, step] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const model = nn.linear(64, 64, { bias: false });
const input = { dtype: "f32", shape: [64] } as const;
for (let version = first; ; version += step) {
  model.weight.write(array(new Float32Array(64 * 64).fill(version), [64, 64]));
  await artifact.save(model, path, { input, metadata: { version: String(version) } });
  if (version === first) process.stdout.write("ready\n");
}

// Loads an artifact again and again while others replace it, and prints what it met as JSON. Arguments: the folder, how often.
import { artifact } from "athanor";

const [path, times] = [process.argv[2]!, Number(process.argv[3])];
const seen = { loads: 0, versions: 0, mixtures: 0, errors: {} as Record<string, number> };
let last = "";
for (let i = 0; i < times; i++) {
  try {
    using served = await artifact.load(path);
    const { data } = served.readWeight(served.weights[0]!.name);
    const version = served.metadata.version!;
    if (data.length !== 64 * 64 || data.some((value) => value !== Number(version))) seen.mixtures++;
    if (version !== last) seen.versions++;
    last = version;
    seen.loads++;
  } catch (thrown) {
    const message = String(thrown).slice(0, 300);
    seen.errors[message] = (seen.errors[message] ?? 0) + 1;
  }
}
process.stdout.write(`${JSON.stringify(seen)}\n`);

// Saves when it is told to: a message { path, version } is answered by { saved: true } or { failed: sentence }.
import { artifact, array, nn } from "athanor";

const model = nn.linear(16, 16, { bias: false });
const input = { dtype: "f32", shape: [16] } as const;
interface Order {
  readonly path: string;
  readonly version: number;
}
process.on("message", ({ path, version }: Order) => {
  model.weight.write(array(new Float32Array(256).fill(version), [16, 16]));
  artifact.save(model, path, { input, metadata: { version: String(version) } }).then(
    () => process.send!({ saved: true }),
    (thrown: unknown) => process.send!({ failed: String(thrown) }),
  );
});
process.send!("ready");

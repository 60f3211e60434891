// Writes a checkpoint when it is told to: a message { dir } is answered by { saved: true } or { failed: sentence }.
import { addVersion } from "./versions.js";

interface Order {
  readonly dir: string;
}
process.on("warning", () => undefined); // what is warned of is not what is asked here
process.on("message", ({ dir }: Order) => {
  addVersion(dir).then(
    () => process.send!({ saved: true }),
    (thrown: unknown) => process.send!({ failed: String(thrown) }),
  );
});
process.send!("ready");

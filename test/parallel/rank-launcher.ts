// One rank of `launchers.test.ts`: joins the others and says what came of it; then a WebAssembly trap, which V8 makes of a signal.
import { existsSync, readFileSync } from "node:fs";
import { parallel } from "athanor";

// (module (memory 1) (func (export "read") (param i32) (result i32) local.get 0 i32.load))
const bytes = Buffer.from(
  "0061736d0100000001060160017f017f030201000503010001070801047265616400000a0901070020002802000b",
  "hex",
);

try {
  const { rank, size, name, hosts } = await parallel.connect({ deadline: 30 });
  console.log(JSON.stringify({ rank, size, name, hosts: hosts.length }));
} catch (thrown) {
  console.log(`${(thrown as Error).name}: ${(thrown as Error).message}`);
  process.exitCode = 1;
}
const maps = existsSync("/proc/self/maps") ? readFileSync("/proc/self/maps", "utf8") : "";
console.log(`MPI is ${/libmpi|libmpich/.test(maps) ? "" : "not "}open`);

interface Instantiated {
  readonly instance: { readonly exports: { read(at: number): number } };
}
const { instance } = await (
  globalThis as unknown as { WebAssembly: { instantiate(bytes: Uint8Array): Promise<Instantiated> } }
).WebAssembly.instantiate(bytes);
try {
  instance.exports.read(0x7ffffff0);
} catch (thrown) {
  console.log(`trap: ${(thrown as Error).name}`);
}

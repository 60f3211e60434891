// What trajectories are followed on: every instruction set of this machine, and the emulated device where it is built.
import { device } from "../lib/index.js";
import { addon, type Isa } from "../lib/native/index.js";

/** An instruction set of the CPU, or a device. */
export interface Platform {
  readonly name: string;
  readonly isa?: Isa;
  readonly device?: device.DeviceName;
}

const emulated = device.list().find(({ name }) => name === "cuda-emulated")!;

export const platforms: readonly Platform[] = [
  ...addon.isas().map((isa): Platform => ({ name: isa, isa })),
  ...(emulated.available ? [{ name: "cuda-emulated", device: "cuda-emulated" } as const] : []),
];

/** Runs `body` on an instruction set; a device is named by what is compiled. */
export async function onPlatform<T>({ isa }: Platform, body: () => Promise<T>): Promise<T> {
  const before = addon.isa();
  if (isa) addon.setIsa(isa);
  try {
    return await body();
  } finally {
    addon.setIsa(before);
  }
}

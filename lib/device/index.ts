// Devices: what the engine can run on, by name, and why a device is not there. Nothing here is looked for before it is asked for.
import { ArgumentError, DeviceError } from "../errors.js";
import { got } from "../names/got.js";
import { addon, call } from "../native/index.js";
import { isa } from "../native/isa.js";
import { nativeBytes, threads } from "../native/threads.js";

/**
 * What a function or a run can be compiled for: the CPU, an NVIDIA GPU (`"cuda"` is `"cuda:0"`), or its kernels emulated on the CPU,
 * which is for tests: correct, and slow.
 */
export type DeviceName = "cpu" | "cuda" | `cuda:${number}` | "cuda-emulated";

/** Memory of a device, in bytes. */
export interface DeviceMemory {
  /** All of it; of the CPU not known (`NaN`). */
  readonly total: number;
  /** What is free now, of all processes; of the CPU not known (`NaN`). */
  readonly free: number;
  /** What this process holds in tensors there. */
  readonly allocated: number;
}

/** A device that is there, or the reason why it is not. */
export interface DeviceInfo {
  readonly name: string;
  readonly available: boolean;
  /** What it is; empty where it is not there. */
  readonly detail: string;
  /** Why it is not there and how to get it: a sentence; empty where it is. */
  readonly why: string;
  readonly memory: DeviceMemory;
}

/** A device that is there. */
export class Device {
  readonly name: DeviceName;

  /** @internal Made by {@link cpu}, {@link cuda} and {@link emulated}. */
  constructor(name: DeviceName) {
    this.name = name;
  }

  /** What it is. */
  get detail(): string {
    return entryOf(this.name).detail;
  }

  /** Its memory as of now. */
  get memory(): DeviceMemory {
    return entryOf(this.name).memory;
  }

  toString(): string {
    return this.name;
  }
}

/**
 * Every device, the CPU first; a kind of which there is none says why. The first call opens the plugins that are built, which takes a
 * fraction of a second where there is a GPU.
 *
 * @example
 * for (const { name, available, detail, why } of device.list()) console.log(name, available ? detail : why);
 */
export function list(): DeviceInfo[] {
  const processor: DeviceInfo = {
    name: "cpu",
    available: true,
    detail: `${isa()}, ${threads()} threads`,
    why: "",
    memory: { total: NaN, free: NaN, allocated: nativeBytes() },
  };
  const others = call(() => addon.devices()).map(
    ({ name, available, detail, why, totalBytes, freeBytes, allocatedBytes }) => ({
      name,
      available,
      detail,
      why,
      memory: { total: totalBytes, free: freeBytes, allocated: allocatedBytes },
    }),
  );
  return [processor, ...others];
}

/** The CPU, which is always there. */
export const cpu = (): Device => new Device("cpu");

/**
 * An NVIDIA GPU by its number.
 *
 * @throws DeviceError where it is not there, with the reason and a way to get it.
 */
export function cuda(index = 0): Device {
  if (!Number.isSafeInteger(index) || index < 0) {
    throw new ArgumentError(`device.cuda: expected the number of a GPU, from 0 on, got ${got(index)}`);
  }
  return available(`cuda:${index}`);
}

/**
 * The kernels of the GPU, emulated on the CPU: for tests on machines that have none.
 *
 * @throws DeviceError where the emulation is not built.
 */
export const emulated = (): Device => available("cuda-emulated");

function available(name: DeviceName): Device {
  const found = list().find((entry) => entry.name === name);
  if (found?.available) return new Device(name);
  const reason = found?.why ?? list().find((entry) => entry.name === "cuda:0")?.why;
  throw new DeviceError(reason ?? `${name}: this machine has no such device; device.list() says what there is`);
}

function entryOf(name: DeviceName): DeviceInfo {
  return list().find((entry) => entry.name === name)!;
}

/** What options call a device: its name, or the device itself. */
export type DeviceOption = DeviceName | Device;

/** @internal The name of what an option `device` holds. @throws ArgumentError */
export function deviceName(where: string, option: DeviceOption | undefined): DeviceName | undefined {
  if (option === undefined) return undefined;
  const name: unknown = option instanceof Device ? option.name : option;
  if (typeof name === "string" && /^(cpu|cuda|cuda:\d{1,4}|cuda-emulated)$/.test(name)) return name as DeviceName;
  throw new ArgumentError(
    `${where}: device must be "cpu", "cuda", "cuda:1" (a number), "cuda-emulated" or one of device.list(), got ${got(option)}`,
  );
}

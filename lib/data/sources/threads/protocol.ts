// What threads that read and change samples are asked for, and what they answer. All of it is plain data.
import type { Chunk } from "../batch-source.js";
import type { NdArray } from "../../../tensor/nd-array.js";

/** What a thread can be asked for: the name of a task, and what it is given. Every task gives a sequence of items. */
export interface Begin {
  readonly id: number;
  readonly task: string;
  readonly given: unknown;
}

/** From the asking side: begin a task, give one more item, or give the task up. */
export type Order = { readonly begin: Begin } | { readonly more: number } | { readonly close: number };

/** From the thread: an item, the end, or an error. */
export type Answer =
  | { readonly id: number; readonly item: unknown }
  | { readonly id: number; readonly done: true }
  | { readonly id: number; readonly error: PlainError };

/** An error as it crosses. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

/** Marks a thread of ours in its `workerData`. */
export const marker = "athanor samples";

/** An array as it crosses. */
export type PlainArray = Pick<NdArray, "data" | "shape" | "dtype">;

/** Samples as they cross. */
export interface PlainChunk {
  readonly x: PlainArray;
  readonly y: PlainArray;
}

/** A chunk as plain data. */
export const plainChunk = ({ x, y }: Chunk): PlainChunk => ({ x: plain(x), y: plain(y) });

const plain = ({ data, shape, dtype }: NdArray): PlainArray => ({ data, shape: [...shape], dtype });

/** Items of a task that may wait for who takes them. */
export const ahead = 2;

// Arrays as text, as NumPy prints them: nested brackets, aligned columns, and only the ends of what is long.
/** What `util.inspect`, and so `console.log`, asks an object for its text by. */
export const inspect = Symbol.for("nodejs.util.inspect.custom");

interface Printable {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
  readonly dtype: string;
}

const countOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

const MOST = 1000; // elements printed whole
const EDGE = 3; // of each end of an axis, beyond

/**
 * `NdArray f32 [2, 2]` and the values below. Above 1,000 elements only three at each end of an axis are shown.
 */
export function printArray(array: Printable, head = `NdArray ${array.dtype} [${array.shape.join(", ")}]`): string {
  if (array.data.length !== countOf(array.shape)) return `${head} (its memory was transferred away)`;
  return `${head}\n${values(array)}`;
}

function values({ data, shape, dtype }: Printable): string {
  const elide = countOf(shape) > MOST;
  const shown: number[] = [];
  visit(shape, elide, (offset) => shown.push(dtype === "bf16" ? fromBits(data[offset]!) : data[offset]!));
  const cells = texts(shown, dtype);
  const width = Math.max(0, ...cells.map((cell) => cell.length));
  let next = 0;
  const build = (axis: number): string => {
    if (axis === shape.length) return cells[next++]!.padStart(width);
    const parts = places(shape[axis]!, elide).map((place) => (place === undefined ? "…" : build(axis + 1)));
    const deeper = shape.length - axis - 1;
    return `[${parts.join(deeper === 0 ? ", " : `,${"\n".repeat(deeper)}${" ".repeat(axis + 1)}`)}]`;
  };
  return build(0);
}

// Indices along an axis; undefined stands for those left out.
function places(extent: number, elide: boolean): (number | undefined)[] {
  if (!elide || extent <= 2 * EDGE + 1) return Array.from({ length: extent }, (_, i) => i);
  const ends = [0, 1, 2].flatMap((i) => [i, extent - EDGE + i]).sort((a, b) => a - b);
  return [...ends.slice(0, EDGE), undefined, ...ends.slice(EDGE)];
}

function visit(shape: readonly number[], elide: boolean, take: (offset: number) => void, axis = 0, offset = 0): void {
  if (axis === shape.length) {
    take(offset);
    return;
  }
  const step = countOf(shape.slice(axis + 1));
  for (const place of places(shape[axis]!, elide)) {
    if (place !== undefined) visit(shape, elide, take, axis + 1, offset + place * step);
  }
}

// Four decimals where there are fractions, exponents where the numbers are far apart, as in NumPy.
function texts(numbers: readonly number[], dtype: string): string[] {
  if (dtype === "bool") return numbers.map((value) => String(value !== 0));
  const finite = numbers.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  if (numbers.every((value) => Number.isInteger(value) || !Number.isFinite(value)) && Math.max(0, ...finite) < 1e16) {
    return numbers.map(String);
  }
  const [large, small] = [Math.max(...finite), Math.min(...finite)];
  const exponents = large >= 1e8 || small < 1e-4 || large / small > 1e5;
  const text = (value: number) =>
    !Number.isFinite(value) ? String(value) : exponents ? value.toExponential(4) : value.toFixed(4);
  const zeros = exponents
    ? 0
    : Math.min(...numbers.filter(Number.isFinite).map((value) => /0*$/.exec(value.toFixed(4))![0].length));
  return numbers.map((value) =>
    Number.isFinite(value) && zeros > 0 ? text(value).slice(0, -zeros).replace(/\.$/, "") : text(value),
  );
}

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

function fromBits(value: number): number {
  bits[0] = value << 16;
  return asFloat[0]!;
}

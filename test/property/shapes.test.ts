// Properties of operations over random shapes: what undoes what, and what does not depend on how it is asked.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile, type NdArray, type Tensor } from "../../lib/tensor/index.js";
import { NdArray as Host } from "../../lib/tensor/nd-array.js";
import { expectClose } from "../ops/compare.js";
import { broadcastShape, countOf, mapBroadcast, pack, uniform, unpack, value, type Value } from "../ops/value.js";

const runs = { numRuns: process.env.ATHANOR_TEST_MATRIX === "full" ? 1000 : 100 };

const shape = (least = 0, most = 5, extent = 6) =>
  fc.array(fc.integer({ min: 0, max: extent }), { minLength: least, maxLength: most });
const full = (least = 0, most = 5, extent = 6) =>
  fc.array(fc.integer({ min: 1, max: extent }), { minLength: least, maxLength: most });

const host = (x: Value): NdArray => new Host(pack(x), x.shape, x.dtype);
const back = (x: NdArray): Value => unpack(x.dtype, x.shape, x.data);

function run(f: (...x: Tensor[]) => Tensor, ...inputs: Value[]): Value {
  const compiled = compile(f);
  try {
    return back(compiled.runSync(...inputs.map(host)));
  } finally {
    compiled.dispose();
  }
}

const expectSame = (got: Value, want: Value): void => expectClose("", [got], [want], "exact");

/** A shape and one that broadcasts with it: some extents 1, some leading ones missing. */
const pair = full().chain((to) =>
  fc
    .tuple(fc.constant(to), fc.array(fc.boolean(), { minLength: to.length, maxLength: to.length }), fc.nat(to.length))
    .map(([to, ones, drop]) => {
      const from = to.map((extent, axis) => (ones[axis] ? 1 : extent)).slice(drop);
      return { to, from };
    }),
);

describe("broadcasting", () => {
  it("follows NumPy's rule whichever side is smaller", () => {
    fc.assert(
      fc.property(pair, ({ to, from }) => {
        const [a, b] = [uniform(to), uniform(from)];
        const want = mapBroadcast("f32", [a, b], (x, y) => Math.fround(x - y));
        expectSame(
          run((x, y) => x.sub(y), a, b),
          want,
        );
        expectSame(
          run((x, y) => y.sub(x).neg(), a, b),
          want,
        );
      }),
      runs,
    );
  });

  it("is broadcastTo, and summing undoes it up to the count", () => {
    fc.assert(
      fc.property(pair, ({ to, from }) => {
        const x = value("f32", from, uniform(from).data.map(Math.round));
        const lead = to.length - from.length;
        const axes = to.flatMap((_, axis) => (axis < lead || from[axis - lead] === 1 ? [axis] : []));
        const repeats = axes.reduce((count, axis) => count * to[axis]!, 1);
        const y = run((t) => t.broadcastTo(to).sum(axes, { keep: true }).reshape(from), x);
        expectSame(y, { ...x, data: x.data.map((e) => e * repeats) });
      }),
      runs,
    );
  });

  it("refuses all other pairs with both shapes in the sentence", () => {
    fc.assert(
      fc.property(full(1), full(1), (a, b) => {
        const rank = Math.min(a.length, b.length);
        const fits = Array.from({ length: rank }, (_, i) => [a.at(-1 - i)!, b.at(-1 - i)!]).every(
          ([m, n]) => m === n || m === 1 || n === 1,
        );
        if (fits) {
          expect(run((x, y) => x.add(y), uniform(a), uniform(b)).shape).toEqual(broadcastShape(a, b));
          return;
        }
        expect(() => run((x, y) => x.add(y), uniform(a), uniform(b))).toThrow(
          `add: shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`,
        );
      }),
      runs,
    );
  });
});

describe("reductions", () => {
  const cut = shape(0, 6, 4).chain((of) =>
    fc.tuple(fc.constant(of), fc.subarray(of.map((_, axis) => axis)), fc.boolean()),
  );

  it("over a set of axes are reductions over one after the other", () => {
    fc.assert(
      fc.property(cut, ([of, axes, negative]) => {
        const x = value(
          "f32",
          of,
          uniform(of).data.map((e) => Math.round(e * 8)),
        );
        const named = axes.map((axis) => (negative ? axis - of.length : axis));
        const atOnce = run((t) => t.sum(named), x);
        const eachAlone = run((t) => [...axes].sort((a, b) => b - a).reduce((y, axis) => y.sum(axis), t), x);
        expectSame(atOnce, eachAlone);
      }),
      runs,
    );
  });

  it("keep what is not reduced in its place", () => {
    fc.assert(
      fc.property(cut, ([of, axes]) => {
        const reduced = new Set(axes);
        const kept = run((t) => t.sum(axes, { keep: true }), uniform(of)).shape;
        expect(kept).toEqual(of.map((extent, axis) => (reduced.has(axis) ? 1 : extent)));
        expect(run((t) => t.sum(axes), uniform(of)).shape).toEqual(of.filter((_, axis) => !reduced.has(axis)));
      }),
      runs,
    );
  });

  it("do not care in which order axes stand", () => {
    fc.assert(
      fc.property(full(1, 5, 5), fc.nat(1000), (of, seed) => {
        const order = of.map((_, axis) => axis).sort((a, b) => Math.sin(seed + a) - Math.sin(seed + b));
        const x = uniform(of);
        expectSame(
          run((t) => t.transpose(order).max(), x),
          run((t) => t.max(), x),
        );
      }),
      runs,
    );
  });

  it("agree with argmax: the element there is the largest", () => {
    fc.assert(
      fc.property(full(1, 4, 6), fc.nat(3), (of, at) => {
        const axis = at % of.length;
        const x = uniform(of);
        const found = run((t) => t.gather(axis, t.argmax(axis, { keep: true })), x);
        expectSame(
          found,
          run((t) => t.max(axis, { keep: true }), x),
        );
      }),
      runs,
    );
  });
});

describe("movements", () => {
  it("are undone: transpose by its inverse, reshape by the shape, a reversal by itself", () => {
    fc.assert(
      fc.property(shape(1, 6, 4), fc.nat(1000), (of, seed) => {
        const order = of.map((_, axis) => axis).sort((a, b) => Math.sin(seed * 7 + a) - Math.sin(seed * 7 + b));
        const inverse = order.map((_, axis) => order.indexOf(axis));
        const x = uniform(of);
        expectSame(
          run((t) => t.transpose(order).transpose(inverse), x),
          x,
        );
        expectSame(
          run((t) => t.reshape([countOf(of)]).reshape(of), x),
          x,
        );
        const reverse = (t: Tensor) => t.slice(...of.map((n) => [n - 1, -n - 1, -1] as const));
        expectSame(
          run((t) => reverse(reverse(t)), x),
          x,
        );
      }),
      runs,
    );
  });

  it("pad and slice undo each other", () => {
    const padded = shape(1, 4, 5).chain((of) =>
      fc.tuple(
        fc.constant(of),
        fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: of.length, maxLength: of.length }),
      ),
    );
    fc.assert(
      fc.property(padded, ([of, widths]) => {
        const x = uniform(of);
        const y = run(
          (t) => t.pad(widths, 7).slice(...of.map((n, axis) => [widths[axis]![0], widths[axis]![0] + n] as const)),
          x,
        );
        expectSame(y, x);
      }),
      runs,
    );
  });

  it("concat puts together what slices took apart, wherever the cut is", () => {
    const parted = full(1, 4, 6).chain((of) => fc.tuple(fc.constant(of), fc.nat(of.length - 1), fc.nat(6)));
    fc.assert(
      fc.property(parted, ([of, axis, where]) => {
        const at = Math.min(where, of[axis]!);
        const x = uniform(of);
        const part = (t: Tensor, from: number, to: number) =>
          t.slice(...of.map((_, k) => (k === axis ? ([from, to] as const) : null)));
        const y = run((t) => t.trace.apply("concat", [part(t, 0, at), part(t, at, of[axis]!)], { axis }), x);
        expectSame(y, x);
      }),
      runs,
    );
  });

  it("strided slices are interleaved by the gradient's pad", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5 }), (n, step) => {
        const x = uniform([n]);
        const phases = Array.from({ length: Math.min(step, n) }, (_, k) => k);
        const spread = (t: Tensor, k: number) => {
          const part = t.slice([k, n, step]);
          const covered = (part.shape[0]! - 1) * step + 1;
          return t.trace.apply("pad", [part], { low: [k], high: [n - k - covered], step: [step], value: 0 });
        };
        expectSame(
          run((t) => phases.map((k) => spread(t, k)).reduce((a, b) => a.add(b)), x),
          x,
        );
      }),
      runs,
    );
  });
});

describe("matmul", () => {
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
  );
  const eye = (n: number): Value =>
    value(
      "f32",
      [n, n],
      Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    );

  it("by the identity gives the matrix to the last bit", () => {
    fc.assert(
      fc.property(sizes, ([M, N]) => {
        const x = uniform([M, N]);
        expectSame(
          run((a, b) => a.matmul(b), x, eye(N)),
          x,
        );
        expectSame(
          run((a, b) => b.matmul(a), x, eye(M)),
          x,
        );
      }),
      runs,
    );
  });

  it("of whole numbers is associative, and transposes to the transposes' product", () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 20 }), ([M, K, N], P) => {
        const small = (rows: number, cols: number) =>
          value("f32", [rows, cols], uniform([rows, cols]).data.map(Math.round));
        const [a, b, c] = [small(M, K), small(K, N), small(N, P)];
        expectSame(
          run((x, y, z) => x.matmul(y).matmul(z), a, b, c),
          run((x, y, z) => x.matmul(y.matmul(z)), a, b, c),
        );
        expectSame(
          run((x, y) => x.matmul(y).transpose(), a, b),
          run((x, y) => y.matmul(x, { transA: true, transB: true }), a, b),
        );
      }),
      runs,
    );
  });

  it("over leading dimensions is the product of every pair", () => {
    fc.assert(
      fc.property(full(1, 3, 3), sizes, (lead, [M, K, N]) => {
        const [m, k, n] = [(M % 5) + 1, (K % 5) + 1, (N % 5) + 1];
        const a = uniform([...lead, m, k]);
        const b = uniform([k, n]);
        const flat = { ...a, shape: [countOf(lead) * m, k] };
        const want = run((x, y) => x.matmul(y), flat, b);
        expectClose("", [run((x, y) => x.matmul(y), a, b)], [{ ...want, shape: [...lead, m, n] }], "formula");
      }),
      runs,
    );
  });
});

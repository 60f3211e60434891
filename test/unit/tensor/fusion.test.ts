// What the passes make of a graph, read from its report: what was fused into what, and what is gone.
import { describe, expect, it } from "vitest";
import { array, compile, grad, zeros, type NdArray, type Tensor } from "../../../lib/tensor/index.js";

type Steps = readonly string[];

/** "op detail" of every step, without the shape. */
function stepsOf(f: (...x: Tensor[]) => unknown, ...args: NdArray[]): Steps {
  const compiled = compile(f);
  const { steps } = compiled.program(...args).report();
  compiled.dispose();
  return steps.map(({ op, detail }) => `${op} ${detail.replace(/^\w+ \[[^\]]*\] ?/, "")}`.trim());
}

const m = zeros([4, 6]);
const w = zeros([6, 5]);

describe("fusion", () => {
  it("makes bias and activation the epilogue of a matrix product", () => {
    expect(stepsOf((x, w, b) => x.matmul(w).add(b).relu(), m, w, zeros([5]))).toEqual(["matmul add+relu"]);
    expect(stepsOf((x, w, b) => x.matmul(w).add(b).gelu(), m, w, zeros([5]))).toEqual(["matmul add+gelu"]);
  });

  it("makes bias, activation and residual the epilogue of a convolution", () => {
    const steps = stepsOf(
      (x, w, b) =>
        x.trace
          .apply("conv2d", [x, w], { padding: [1, 1, 1, 1] })
          .add(b)
          .relu()
          .add(x),
      zeros([2, 3, 8, 8]),
      zeros([3, 3, 3, 3]),
      zeros([3, 1, 1]),
    );
    expect(steps).toEqual(["conv2d add+relu+add"]);
  });

  it("makes one pass of an elementwise chain, whatever it reads", () => {
    expect(stepsOf((x, b) => x.exp().add(b).log().mul(x).tanh(), m, zeros([6]))).toEqual([
      "fused exp+add+log+mul+tanh",
    ]);
  });

  it("gives several results of one chain", () => {
    expect(stepsOf((x) => [x.exp(), x.exp().add(1)], m)).toEqual(["fused exp+add"]);
  });

  it("keeps a product whole that two others read", () => {
    const steps = stepsOf(
      (x, w) => {
        const y = x.matmul(w);
        return [y.relu(), y.sum()];
      },
      m,
      w,
    );
    expect(steps).toHaveLength(2);
    expect(steps.filter((step) => step.startsWith("matmul"))).toEqual(["matmul relu"]);
  });

  it("masks the gradient of an activation in the product before it", () => {
    const steps = stepsOf(
      grad((x: Tensor, w: Tensor, v: Tensor) => x.matmul(w).relu().matmul(v).square().sum()),
      m,
      w,
      zeros([5, 3]),
    );
    expect(steps.some((step) => /^matmul .*relu_grad/.test(step))).toBe(true);
    expect(steps.filter((step) => step.startsWith("fused"))).toEqual([]); // nothing elementwise is left alone
  });

  it("runs attention as one step", () => {
    const q = zeros([1, 2, 8, 4]);
    expect(stepsOf((q, k, v) => q.trace.apply("attention", [q, k, v], { causal: true }), q, q, q)).toEqual([
      "attention",
    ]);
  });
});

describe("simplification", () => {
  it("reads transposed operands as they are", () => {
    const compiled = compile((a: Tensor, b: Tensor) => a.transpose().matmul(b.transpose()));
    const { graph } = compiled.program(zeros([4, 3]), zeros([5, 4])).report();
    expect(graph).toContain("trans_a=true, trans_b=true");
    expect(graph).not.toContain("= transpose");
  });

  it("drops what changes nothing", () => {
    expect(
      stepsOf(
        (x) =>
          x
            .add(0)
            .mul(1)
            .div(1)
            .sub(0)
            .neg()
            .neg()
            .transpose()
            .transpose()
            .cast("f32")
            .reshape([24])
            .reshape([4, 6])
            .exp(),
        m,
      ),
    ).toEqual(["fused exp"]);
  });

  it("computes constants while compiling", () => {
    expect(
      stepsOf(
        (x) =>
          x.add(
            x
              .operand(array([1, 2, 3, 4, 5, 6]))
              .exp()
              .sum(),
          ),
        m,
      ),
    ).toEqual(["fused add"]);
  });

  it("computes what occurs twice once, and nothing that nobody reads", () => {
    expect(
      stepsOf(
        (x, w) => {
          void x.exp().sum();
          return x.matmul(w).add(x.matmul(w));
        },
        m,
        w,
      ),
    ).toEqual(["matmul add"]);
  });

  it("does not take two random draws for one", () => {
    const f = compile((x: Tensor) => {
      const draw = (key: number) => x.trace.apply("random_uniform", [], { shape: [50], key });
      return [draw(0), draw(1), draw(0)] as const;
    });
    const [a, b, again] = f.runSync(array([1]));
    expect([...again.data]).toEqual([...a.data]);
    expect([...b.data]).not.toEqual([...a.data]);
  });
});

describe("a graph on paper", () => {
  const f = compile((x: Tensor, w: Tensor, b: Tensor) => x.matmul(w).add(b).relu());
  const args = [m, w, zeros([5])] as const;

  it("is text before the first pass and after each", () => {
    const passes = f.passes(...args);
    expect(passes.map(({ pass }) => pass)).toEqual([
      "traced",
      "eliminate_dead",
      "simplify",
      "fold_constants",
      "eliminate_common",
      "simplify",
      "fuse",
    ]);
    expect(passes[0]!.text.split("\n")).toEqual([
      "%0: f32 [4, 6] = input() {name=0}",
      "%1: f32 [6, 5] = input() {name=1}",
      "%2: f32 [5] = input() {name=2}",
      "%3: f32 [4, 5] = matmul(%0, %1) {trans_a=false, trans_b=false}",
      "%4: f32 [4, 5] = add(%3, %2)",
      "%5: f32 [4, 5] = relu(%4)",
      "return =%5",
      "",
    ]);
    expect(passes.at(-1)!.text).toContain(
      "= matmul(%0, %1, %2) {fused=add+relu, trans_a=false, trans_b=false} [t0 = add(raw, %2); t1 = relu(t0) -> t1]",
    );
  });

  it("is Graphviz with a box a node and a line an edge", () => {
    const dot = f.dot(...args).split("\n");
    expect(dot[0]).toBe("digraph athanor {");
    expect(dot.at(-2)).toBe("}");
    expect(dot).toContain('  n3 [label="matmul\\nf32 [4, 5]"];');
    expect(dot.filter((line) => line.includes("->"))).toEqual([
      "  n0 -> n3;",
      "  n1 -> n3;",
      "  n3 -> n4;",
      "  n2 -> n4;",
      "  n4 -> n5;",
      '  n5 -> "";',
    ]);
  });

  it("explains its steps with their work and the memory they share", () => {
    const lines = f.explain(...args).split("\n");
    expect(lines[0]).toMatch(/^matmul {2}f32 \[4, 5\] add\+relu {2}240 FLOP {2}\d+ B$/);
    expect(lines.at(-1)).toMatch(/^1 steps?, 240 FLOP, arena [\d.]+ k?B \([\d.]+ k?B without reuse\)$/);
  });

  it("reuses memory within a long chain of products", () => {
    const chain = compile((x: Tensor) => Array.from({ length: 20 }).reduce((y: Tensor) => y.matmul(x).softmax(), x));
    const { arenaBytes, unplannedBytes } = chain.program(zeros([64, 64])).report();
    expect(arenaBytes).toBeLessThan(unplannedBytes / 4);
  });
});

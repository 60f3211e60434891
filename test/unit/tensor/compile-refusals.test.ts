// What compiled functions refuse, word for word, and how a run is stopped.
import { describe, expect, it } from "vitest";
import { AbortedError, ArgumentError, DisposedError, ShapeError } from "../../../lib/errors.js";
import { Parameter, array, compile, zeros, type NdArray, type Tensor } from "../../../lib/tensor/index.js";
import { currentTrace } from "../../../lib/tensor/trace.js";

const thrownBy = (body: () => unknown): Error => {
  try {
    body();
  } catch (thrown) {
    return thrown as Error;
  }
  return expect.fail("nothing was thrown");
};

describe("what is refused", () => {
  const f = compile((x: Tensor, y: Tensor) => x.add(y));

  it("values that are no arrays, with their place", () => {
    const sentence = (...args: unknown[]) => {
      const error = thrownBy(() => f.runSync(...(args as [NdArray, NdArray])));
      expect(error).toBeInstanceOf(ArgumentError);
      return error.message;
    };
    const end = "must be an NdArray (array(values, shape)) or a list or record of them, got";
    expect(sentence([1, 2], array([1]))).toBe(
      `compile: argument 0.0 ${end} 1; flatten the list and give the shape: array(rows.flat(), shape)`,
    );
    expect(sentence(new Float32Array(2), array([1]))).toBe(
      `compile: argument 0 ${end} a Float32Array of 2; give it a shape: array(values, shape)`,
    );
    expect(sentence(array([1]), { y: null })).toBe(`compile: argument 1.y ${end} null`);
    expect(sentence(array([1]), undefined)).toBe(`compile: argument 1 ${end} undefined`);
  });

  it("functions that return something else", () => {
    const sentence = (body: () => unknown) => thrownBy(() => compile(body).runSync()).message;
    expect(sentence(() => 3)).toBe("compile: the function must return tensors or lists or records of them, got 3");
    expect(sentence(() => ({ a: [undefined] }))).toBe(
      "compile: the function must return tensors or lists or records of them, got undefined at a.0; is a return missing? (x[0] is x.slice([0, 1]))",
    );
    expect(thrownBy(() => compile(3 as never)).message).toBe("compile: expected a function of tensors, got 3");
  });

  it("shapes that do not fit, at the line of the function", () => {
    const error = thrownBy(() => compile((x: Tensor) => x.matmul(x), { name: "mine" }).runSync(zeros([2, 3])));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toBe("matmul: inner dimensions must match, got a [2, 3] and b [2, 3] (3 ≠ 2); transpose b?");
    expect(error.stack).toContain("compile-refusals.test.ts");
  });

  it("tensors of another trace, and outside of any", () => {
    let leaked: Tensor | undefined;
    compile((x: Tensor) => (leaked = x)).runSync(array([1]));
    const reuse = compile((x: Tensor) => x.add(leaked!));
    expect(thrownBy(() => reuse.runSync(array([1]))).message).toBe(
      "add: a tensor of another trace was used in this one; tensors live only inside the function being traced",
    );
    expect(thrownBy(() => new Parameter([1]).tensor()).message).toBe(
      "parameter: only works while a function is being traced; wrap the call in compile((x) => …) and run that",
    );
  });

  it("results whose names run together", () => {
    const clash = compile((x: Tensor) => ({ "a.b": x, a: { b: x.neg() } }));
    expect(thrownBy(() => clash.runSync(array([1]))).message).toContain('"a.b"');
  });

  it("a program that was disposed", () => {
    const program = f.program(array([1]), array([2]));
    expect(program.runSync({ "0": array([1]), "1": array([2]) })[""]!.toArray()).toEqual([3]);
    expect(thrownBy(() => program.runSync({ "0": array([1]) })).message).toBe(
      'compile: input "1" is missing; it takes f32 [1]',
    );
    expect(thrownBy(() => program.runSync({ "0": array([1]), "1": array([1, 2]) })).message).toBe(
      'compile: input "1" must be f32 [1], got f32 [2]',
    );
    f.dispose();
    expect(thrownBy(() => program.runSync({ "0": array([1]), "1": array([2]) }))).toBeInstanceOf(DisposedError);
  });

  it("keeps what it knew when a trace fails", () => {
    const g = compile((x: Tensor) => x.matmul(x));
    const good = array([1, 0, 0, 1], [2, 2]);
    expect(g.runSync(good).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    thrownBy(() => g.runSync(zeros([2, 3])));
    expect(g.runSync(good).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    // The failed trace is no longer the current one.
    expect(() => currentTrace("test")).toThrow(ArgumentError);
    g.dispose();
  });
});

describe("an AbortSignal", () => {
  const slow = compile((x: Tensor) => Array.from({ length: 200 }).reduce((y: Tensor) => y.matmul(x).tanh(), x));
  const x = array(new Float32Array(256 * 256).fill(0.01), [256, 256]);

  it("stops a run before it starts and while it runs", async () => {
    const reason = new Error("enough");
    await expect(slow.run(x, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      name: "AbortError",
      code: "ERR_ATHANOR_ABORTED",
      cause: reason,
    });
    const controller = new AbortController();
    const running = slow.run(x, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await expect(running).rejects.toBeInstanceOf(AbortedError);
    // And the program is as good as before.
    expect((await slow.run(x)).shape).toEqual([256, 256]);
  });

  it("that fires too late changes nothing, and is not listened to any more", async () => {
    const controller = new AbortController();
    const quick = compile((y: Tensor) => y.add(1));
    expect((await quick.run(array([1]), { signal: controller.signal })).toArray()).toEqual([2]);
    controller.abort();
    expect((await quick.run(array([1]))).toArray()).toEqual([2]);
    slow.dispose();
    quick.dispose();
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  AthanorError,
  ShapeError,
  adopt,
  checkOptions,
  errorClasses,
  nearestName,
  unknownOption,
} from "../../../lib/errors.js";

describe("the registry", () => {
  it("has the codes of native/base/error.h, and one of its own for loading", () => {
    const header = readFileSync(new URL("../../../native/base/error.h", import.meta.url), "utf8");
    const native = new Set(header.match(/ERR_ATHANOR_[A-Z_]+/g));
    expect(new Set(Object.keys(errorClasses))).toEqual(native.add("ERR_ATHANOR_LOAD"));
  });

  it("gives every class its code, a name and the base class", () => {
    for (const [code, Class] of Object.entries(errorClasses)) {
      const error: AthanorError = new Class("sentence", { cause: 7 });
      expect(error).toBeInstanceOf(AthanorError);
      expect(error).toMatchObject({ code, message: "sentence", cause: 7 });
      expect(error.name).toMatch(/Error$/);
    }
  });
});

describe("adopt", () => {
  it("dresses the addon's error in its class and keeps where it came from", () => {
    const plain = Object.assign(new Error("inner dimensions must match"), { code: "ERR_ATHANOR_SHAPE" });
    const adopted = adopt(plain, "matmul") as ShapeError;
    expect(adopted).toBeInstanceOf(ShapeError);
    expect(adopted.message).toBe("matmul: inner dimensions must match");
    expect(adopted.stack).toContain("errors.test.ts");
    expect(adopted.stack?.split("\n")[0]).toBe("ShapeError [ERR_ATHANOR_SHAPE]: matmul: inner dimensions must match");
  });

  it("leaves everything else alone", () => {
    const foreign = Object.assign(new Error("gone"), { code: "ENOENT" });
    expect(adopt(foreign)).toBe(foreign);
    expect(adopt("text")).toBe("text");
  });
});

describe("unknownOption", () => {
  it("suggests the option that was meant", () => {
    const known = ["lr", "weightDecay", "beta1", "eps"];
    expect(unknownOption("optim.adamW", "learningRate", known).message).toBe(
      'optim.adamW: unknown option "learningRate", did you mean "lr"?',
    );
    expect(nearestName("wieghtDecay", known)).toBe("weightDecay");
    expect(nearestName("WEIGHTDECAY", known)).toBe("weightDecay");
    expect(nearestName("momentum", known)).toBeUndefined();
  });

  it("lists what there is when nothing is near", () => {
    expect(unknownOption("fit", "zzz", ["epochs", "seed"]).message).toBe(
      'fit: unknown option "zzz"; known: "epochs", "seed"',
    );
    expect(() => {
      checkOptions("fit", { epoch: 3 }, ["epochs", "seed"]);
    }).toThrow('fit: unknown option "epoch", did you mean "epochs"?');
  });
});

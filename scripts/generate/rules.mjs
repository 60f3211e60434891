// lib/native/rules.ts: every update rule's hyper-parameters, in the order in which they cross the binding, and its state
// slots, from native/update_rules/rules.def.
import { existsSync } from "node:fs";
import { definitions, typescript } from "./typescript.mjs";

const source = "native/update_rules/rules.def";
const forms = [
  [/^RULE_BEGIN\((\w+), \w+\)$/, (rules, name) => rules.push({ name, hyper: [], state: [], shardable: "elementwise" })],
  [
    /^HYPER\((\w+), ([-\d.e]+), "(.+)"\)$/,
    (rules, name, value, interval) => rules.at(-1).hyper.push({ name, default: Number(value), interval }),
  ],
  [/^FLAG\((\w+), ([01])\)$/, (rules, name, value) => rules.at(-1).hyper.push({ name, default: value === "1" })],
  [/^(?:STATE|POSITIVE|EXACT)\((\w+), (\w+)\)$/, (rules, name, init) => pushState(rules, name, init, "same")],
  [/^SHAPED\((\w+), (\w+), (\w+)\)$/, (rules, name, init, form) => pushState(rules, name, init, form)],
  [/^SHARDABLE\((\w+)\)$/, (rules, kind) => (rules.at(-1).shardable = kind)],
  [/^RULE_END\(\w+, \w+\)$/, () => {}],
];

const pushState = (rules, name, init, form) => rules.at(-1).state.push({ name, init: init === "0" ? 0 : init, form });

function parse(lines) {
  const rules = [];
  for (const line of lines) {
    if (line.startsWith("#")) continue; // the preprocessor's own lines
    const form = forms.find(([pattern]) => pattern.test(line));
    if (!form)
      throw new Error(
        `${source}: cannot read "${line}", expected RULE_BEGIN, HYPER, FLAG, STATE, POSITIVE, EXACT, SHAPED, SHARDABLE or RULE_END`,
      );
    form[1](rules, ...form[0].exec(line).slice(1));
  }
  return rules;
}

export const rules = {
  path: "lib/native/rules.ts",
  async render(from = source) {
    if (!existsSync(from)) return undefined;
    return typescript(
      source,
      [
        "// Long because it is one table.",
        "",
        "/** A hyper-parameter: a number within `interval`, or a flag. */",
        "export type Hyper =",
        "  | { readonly name: string; readonly default: number; readonly interval: string }",
        "  | { readonly name: string; readonly default: boolean };",
        "",
        "/**",
        " * A state of a parameter [.., R, C]; it starts from 0 or from the hyper-parameter named by `init`. Its shape is the same, that of a",
        " * value for every row [.., R, 1], for every column [.., 1, C], or that of three numbers of the run.",
        " */",
        'export type Slot = { readonly name: string; readonly init: 0 | string; readonly form: "same" | "rows" | "columns" | "numbers" };',
        "",
        "/** Where ranks may cut parameters and states: anywhere, between tensors, or nowhere. */",
        'export type Shardable = "elementwise" | "tensor" | "whole";',
        "",
        "/** Every update rule: hyper-parameters in the order in which they cross the binding, and state slots. */",
        "export const rules = {",
        ...parse(definitions(from)).map(({ name, ...rule }) => `${name}: ${JSON.stringify(rule)},`),
        "} as const satisfies Record<string, { hyper: readonly Hyper[]; state: readonly Slot[]; shardable: Shardable }>;",
        "",
        "/** The name of an update rule. */",
        "export type RuleName = keyof typeof rules;",
        "",
      ].join("\n"),
    );
  },
};

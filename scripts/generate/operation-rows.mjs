// The rows of native/graph/ops.def as data, for what is generated from them. A row that cannot be read is named.
import { existsSync, readFileSync } from "node:fs";

export const source = "native/graph/ops.def";

const form = 'ATHANOR_OP(name, arity, traits, pruning, flops, "api", "sentence", attributes)';
const kinds = ["flag", "integer", "real", "text", "dtype", "list"];
const row =
  /^(?<name>\w+),\s*(?<arity>\w+),\s*(?<traits>[\w| ]+),\s*(?<pruning>\w+),\s*(?<flops>\w+),\s*"(?<api>[^"]+)",\s*"(?<sentence>[^"]+)"(?:,(?<attrs>[^]*))?$/;
const attribute = /ATTR\((\w+), (\w+), (list_of\([^)]*\)|"[^"]*"|[-\w.]+), "([^"]*)"\)/g;

function defaultOf(text) {
  if (text === "required" || text === "derived") return { presence: text };
  const value = text.startsWith("list_of") ? `[${text.slice(8, -1)}]` : text;
  return { presence: "optional", default: JSON.parse(value) };
}

function attributesOf(name, text = "") {
  const attrs = [...text.matchAll(attribute)].map(([, attr, kind, value, range]) => ({
    name: attr,
    kind,
    ...defaultOf(value),
    range,
  }));
  const rest = text.replace(attribute, "").trim();
  if (rest) throw new Error(`${source}: ${name}: cannot read "${rest}", expected ATTR(name, kind, default, "range")`);
  const odd = attrs.find(({ kind }) => !kinds.includes(kind));
  if (odd) throw new Error(`${source}: ${name}: ${odd.name} has the kind ${odd.kind}, expected ${kinds.join(", ")}`);
  return attrs;
}

function read(text, section) {
  const fields = row.exec(text)?.groups;
  if (!fields) {
    const name = text.split(",", 1)[0];
    throw new Error(`${source}: cannot read the row of ${name}, expected ${form}; no field can be left out`);
  }
  const { name, arity, traits, pruning, flops, api, sentence, attrs } = fields;
  return {
    name,
    section,
    arity: arity === "kVariadic" ? "variadic" : Number(arity),
    traits: traits
      .split("|")
      .map((trait) => trait.trim().replace(/^k/, "").toLowerCase())
      .filter((trait) => trait !== "none"),
    pruning,
    flops: /^\d+$/.test(flops) ? Number(flops) : flops,
    api,
    sentence,
    attrs: attributesOf(name, attrs),
  };
}

/** Every row, in order; undefined where the table is not there. */
export function operationRows(path = source) {
  if (!existsSync(path)) return undefined;
  const rows = [];
  let section = "";
  let text = "";
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line.startsWith("//")) section = /^\/\/ (ops\/\S+\.cc)/.exec(line)?.[1] ?? section;
    else text += `${line.trim()} `;
    const whole = text.trim();
    if (!whole.startsWith("ATHANOR_OP(") || !closed(whole)) continue;
    rows.push(read(whole.slice("ATHANOR_OP(".length, -1), section));
    text = "";
  }
  if (text.trim()) throw new Error(`${source}: cannot read "${text.trim()}", expected ${form}`);
  return rows;
}

// Whether every parenthesis outside of strings is closed.
function closed(text) {
  const bare = text.replace(/"[^"]*"/g, "");
  return bare.split("(").length === bare.split(")").length;
}

// What a TypeScript file imports: static imports and re-exports, import(), and new URL("./worker.js", import.meta.url).
import { readFileSync } from "node:fs";
import ts from "typescript";

/** Returns [{ name, line, typeOnly, lazy }] of one file. */
export function importsOf(path) {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, literal, flags = {}) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ name: literal.text, line, typeOnly: false, lazy: false, ...flags });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      const allTypes =
        !clause?.name &&
        named &&
        ts.isNamedImports(named) &&
        named.elements.length > 0 &&
        named.elements.every((item) => item.isTypeOnly);
      add(node, node.moduleSpecifier, { typeOnly: Boolean(clause?.isTypeOnly || allTypes) });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add(node, node.moduleSpecifier, { typeOnly: node.isTypeOnly });
    } else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      ts.isStringLiteral(node.arguments[0])
    ) {
      add(node, node.arguments[0], { lazy: true });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, { typeOnly: true });
    } else if (ts.isNewExpression(node) && node.expression.getText() === "URL" && node.arguments?.length === 2) {
      const [first, second] = node.arguments;
      if (ts.isStringLiteral(first) && first.text.endsWith(".js") && second.getText() === "import.meta.url")
        add(node, first, { lazy: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

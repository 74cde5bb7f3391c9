/** One source file, parsed once for all rules. The parser reads types too, so `import type` and `import('…').T` count as imports. */
import { type ESTree, parseSync, Visitor, type VisitorObject } from 'rolldown/utils';

/** Path from the project's root (`/` between segments) to text. */
export type Tree = Record<string, string>;

export interface Import {
  specifier: string;
  line: number;
  /** `await import()`, as against an import that is loaded with the file. */
  isDynamic: boolean;
}

export interface Source {
  path: string;
  text: string;
  imports: Import[];
  comments: { text: string; line: number }[];
  program: ESTree.Program;
  lineAt: (offset: number) => number;
  visit: (visitor: VisitorObject) => void;
}

export interface Finding {
  rule: string;
  path: string;
  line: number;
  detail: string;
}

export function parseTree(tree: Tree): Source[] {
  return Object.entries(tree)
    .filter(([path]) => /\.(ts|tsx|mjs)$/.test(path))
    .map(([path, text]) => parseSource(path, text));
}

export function parseSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const lineAt = lineFinder(text);
  const source: Source = {
    path,
    text,
    imports: [],
    comments: comments.map(({ value, start }) => ({ text: value, line: lineAt(start) })),
    program,
    lineAt,
    visit: (visitor) => new Visitor(visitor).visit(program),
  };
  source.imports = readImports(source);
  return source;
}

function readImports(source: Source): Import[] {
  const found: Import[] = [];
  const add = (node: { start: number }, from: ESTree.Expression | ESTree.StringLiteral | null, isDynamic: boolean) => {
    if (from?.type === 'Literal' && typeof from.value === 'string') {
      found.push({ specifier: from.value, line: source.lineAt(node.start), isDynamic });
    }
  };
  source.visit({
    ImportDeclaration: (node) => add(node, node.source, false),
    ExportNamedDeclaration: (node) => add(node, node.source, false),
    ExportAllDeclaration: (node) => add(node, node.source, false),
    ImportExpression: (node) => add(node, node.source, true),
    TSImportType: (node) => add(node, node.source, false),
  });
  return found;
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** The tree's path that a relative specifier in `from` means; undefined for packages and `node:` modules. */
export function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const segments = from.split('/').slice(0, -1);
  for (const segment of specifier.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '.') segments.push(segment);
  }
  return segments.join('/');
}

/** Size, names and leftovers: what keeps a file readable by someone who has never seen it. */
import type { ESTree } from 'rolldown/utils';
import type { Finding, Source, Tree } from './source.ts';

const fileLinesMax = 400;
const functionLinesMax = 70;

/** Ratchet: files allowed more lines than the limit, with the number they may not pass. An entry that is no longer needed is a finding. */
export const longFiles: Record<string, number> = {};
/** The same for functions, as `path:name`. */
export const longFunctions: Record<string, number> = {};

const isProduct = (path: string) => /^(runtime|gateway|sim|recipes\/builder|firmware-images)\/|^build\.mjs$/.test(path);

export function sizeFindings(sources: Source[], files = longFiles, functions = longFunctions): Finding[] {
  const product = sources.filter(({ path }) => isProduct(path));
  const lengths = new Map(product.map(({ path, text }) => [path, { path, line: 1, lines: text.trimEnd().split('\n').length }]));
  return [
    ...ratchet('file length', lengths, fileLinesMax, files),
    ...ratchet('function length', new Map(product.flatMap(functionLengths)), functionLinesMax, functions),
  ];
}

type Length = { path: string; line: number; lines: number };

function ratchet(rule: string, lengths: Map<string, Length>, limit: number, exceptions: Record<string, number>): Finding[] {
  const found: Finding[] = [];
  for (const [key, { path, line, lines }] of lengths) {
    const most = exceptions[key] ?? limit;
    if (lines > most) found.push({ rule, path, line, detail: `${key} has ${lines} lines, more than ${most}` });
  }
  for (const key of Object.keys(exceptions)) {
    const lines = lengths.get(key)?.lines ?? 0;
    if (lines <= limit) found.push({ rule, path: key, line: 1, detail: `${key} needs its exception no longer: take it out` });
  }
  return found;
}

/** Own lines: those of a function declared inside count for that one only, so a factory is as long as what it does itself. */
function functionLengths(source: Source): [string, Length][] {
  const found: [string, Length][] = [];
  const names = new Map<ESTree.Node, string>();
  const open: { start: number; lines: number }[] = [];
  const enter = (node: ESTree.Node) => open.push({ start: source.lineAt(node.start), lines: 0 });
  const leave = (node: ESTree.Function | ESTree.ArrowFunctionExpression) => {
    const { start = 1, lines = 0 } = open.pop() ?? {};
    const total = source.lineAt(node.end - 1) - start + 1;
    const outer = open.at(-1);
    // One line stays with the outer function: it says that there is an inner one.
    if (outer) outer.lines -= total - 1;
    const name = names.get(node) ?? ('id' in node ? node.id?.name : undefined) ?? `line ${start}`;
    found.push([`${source.path}:${name}`, { path: source.path, line: start, lines: total + lines }]);
  };
  source.visit({
    VariableDeclarator: ({ id, init }) => {
      if (init && id.type === 'Identifier') names.set(init, id.name);
    },
    MethodDefinition: ({ key, value }) => {
      if (key.type === 'Identifier') names.set(value, key.name);
    },
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
  });
  return found;
}

export function barrelFindings(sources: Source[]): Finding[] {
  return sources.flatMap(({ path, program }) => {
    const isReExport = (node: ESTree.Node) =>
      node.type === 'ExportAllDeclaration' || (node.type === 'ExportNamedDeclaration' && node.source !== null);
    const isBarrel = /(^|\/)index\.(ts|tsx|mjs)$/.test(path) || (program.body.length > 0 && program.body.every(isReExport));
    return isBarrel ? [{ rule: 'barrels', path, line: 1, detail: 'only passes on what other files export: import from those' }] : [];
  });
}

/** Names that say nothing of what is inside. */
const drawers = /^(utils?|libs?|helpers?|common|misc|shared|stuff)(\.\w+)?$/;

export function nameFindings(tree: Tree): Finding[] {
  return Object.keys(tree).flatMap((path) => {
    const drawer = path.split('/').find((segment) => drawers.test(segment));
    return drawer ? [{ rule: 'names', path, line: 1, detail: `"${drawer}" does not say what is inside` }] : [];
  });
}

const topLevel = new Set([
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'build.mjs', 'README.md', 'CHANGELOG.md', 'LICENSE'],
  ...['runtime', 'gateway', 'firmware-images', 'recipes', 'sim', 'test', 'docs'],
]);

export function layoutFindings(tree: Tree): Finding[] {
  const tops = new Set(Object.keys(tree).map((path) => path.split('/')[0] ?? path));
  return [...tops]
    .filter((top) => !top.startsWith('.') && !topLevel.has(top))
    .map((top) => ({ rule: 'layout', path: top, line: 1, detail: 'does not belong at the top level' }));
}

export function typeFindings(sources: Source[]): Finding[] {
  const found: Finding[] = [];
  for (const source of sources) {
    const report = (node: { start: number }, detail: string) =>
      found.push({ rule: 'types', path: source.path, line: source.lineAt(node.start), detail });
    // Types meet bytes in the codec, untyped rows in tables and foreign code in adapters; everywhere else `unknown` is parsed by a schema.
    const mayCast = /^((runtime\/protocol|runtime\/adapters|gateway\/store|test)\/|runtime\/turn\/table\.ts$)/.test(source.path);
    source.visit({
      TSAnyKeyword: (node) => report(node, 'any'),
      TSAsExpression: (node) => {
        const isConst =
          node.typeAnnotation.type === 'TSTypeReference' &&
          'name' in node.typeAnnotation.typeName &&
          node.typeAnnotation.typeName.name === 'const';
        if (!isConst && !mayCast) report(node, 'a cast: let a schema or a guard prove the type');
      },
      TSTypeAssertion: (node) => report(node, 'a cast: let a schema or a guard prove the type'),
    });
    for (const { text, line } of source.comments) {
      const directive = /@ts-(ignore|nocheck|expect-error)/.exec(text)?.[0];
      const isTypeTest = directive === '@ts-expect-error' && source.path.startsWith('test/');
      if (directive && !isTypeTest) found.push({ rule: 'types', path: source.path, line, detail: directive });
    }
  }
  return found;
}

const leftover = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);
/** A text for its readers, not for those who ordered it. */
const narration = new RegExp(`\\b(${['as requested', 'the user (asked|wants|said)', 'the brief', 'sub-?agent'].join('|')})\\b`, 'i');

export function leftoverFindings(sources: Source[]): Finding[] {
  return sources.flatMap(({ path, comments }) =>
    comments.flatMap(({ text, line }) => {
      const word = leftover.exec(text)?.[0] ?? narration.exec(text)?.[0];
      return word ? [{ rule: 'leftovers', path, line, detail: `"${word}" in a comment` }] : [];
    }),
  );
}

/** `home`: where this checkout lies, which nothing in it may know. */
export function homeFindings(tree: Tree, home: string): Finding[] {
  const parent = home.slice(0, home.lastIndexOf('/'));
  // A checkout directly below /tmp or a home must not forbid those names.
  const isTelling = !['', '/tmp', '/home', '/root', '/opt', '/srv', '/usr', '/usr/src', '/var', '/var/tmp', '/mnt', '/data'].includes(
    parent,
  );
  const roots = isTelling ? [`${parent}/`] : [`${home}/`];
  return Object.entries(tree).flatMap(([path, text]) =>
    roots.flatMap((root) => {
      const at = text.search(new RegExp(`(?<![\\w.-])${root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`));
      return at < 0
        ? []
        : [{ rule: 'home', path, line: text.slice(0, at).split('\n').length, detail: `names ${root}, a path of one machine` }];
    }),
  );
}

/**
 * A test that is switched off, or that switches the others off, is worse than none: it reads as if it ran. A skip under a condition
 * says what the machine lacks, and is let through.
 */
export function focusFindings(sources: Source[]): Finding[] {
  const found: Finding[] = [];
  for (const source of sources.filter(({ path }) => /\.(test|bench)\.ts$/.test(path))) {
    let conditions = 0;
    const enter = () => conditions++;
    const leave = () => conditions--;
    source.visit({
      IfStatement: enter,
      'IfStatement:exit': leave,
      ConditionalExpression: enter,
      'ConditionalExpression:exit': leave,
      MemberExpression: (node) => {
        const owner = node.object.type === 'Identifier' ? node.object.name : '';
        const property = node.computed ? '' : node.property.name;
        const isOff = /^(only|todo|fails)$/.test(property) || (property === 'skip' && conditions === 0);
        if (/^(test|it|describe)$/.test(owner) && isOff) {
          found.push({ rule: 'focus', path: source.path, line: source.lineAt(node.start), detail: `${owner}.${property}` });
        }
      },
    });
  }
  return found;
}

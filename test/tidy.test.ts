/** The rules of the house, read off the source text. Each rule first proves that it catches what it forbids. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { doorFindings } from './tidy/doors.ts';
import { cycleFindings, layerFindings } from './tidy/layers.ts';
import {
  barrelFindings,
  focusFindings,
  homeFindings,
  layoutFindings,
  leftoverFindings,
  nameFindings,
  sizeFindings,
  typeFindings,
} from './tidy/shape.ts';
import { type Finding, parseTree, type Source, type Tree } from './tidy/source.ts';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Every text file of the project; what is installed or built is not part of it. */
function readTree(): Tree {
  const skipped = new Set(['node_modules', 'dist', '.git']);
  const tree: Tree = {};
  const walk = (directory: string) => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = directory ? `${directory}/${entry.name}` : entry.name;
      // In a second work tree `.git` is a file.
      if (skipped.has(entry.name)) continue;
      if (entry.isDirectory()) {
        walk(path);
      } else if (entry.isFile()) {
        const bytes = readFileSync(join(root, path));
        // Golden frames and pictures take part with their names only.
        tree[path] = bytes.includes(0) ? '' : bytes.toString('utf8');
      }
    }
  };
  walk('');
  return tree;
}

const show = (findings: Finding[]) => findings.map(({ rule, path, line, detail }) => `${path}:${line} ${rule}: ${detail}`).sort();

describe('this tree', () => {
  const tree = readTree();
  const sources = parseTree(tree);
  const rules: [string, () => Finding[]][] = [
    ['imports go down only', () => layerFindings(sources)],
    ['no import cycle', () => cycleFindings(sources)],
    ['effects come through doors', () => doorFindings(sources)],
    ['no barrel', () => barrelFindings(sources)],
    ['files and functions are short', () => sizeFindings(sources)],
    ['names say what is inside', () => nameFindings(tree)],
    ['the top level is the agreed one', () => layoutFindings(tree)],
    ['no any, no cast beyond the codec', () => typeFindings(sources)],
    ['nothing is left over', () => leftoverFindings(sources)],
    ['nothing names the place of this checkout', () => homeFindings(tree, root)],
    ['no test is switched off', () => focusFindings(sources)],
  ];

  test('is read', () => expect(sources.length).toBeGreaterThan(20));
  test.each(rules)('%s', (_name, findings) => expect(show(findings())).toEqual([]));
});

/** Runs one rule over a planted tree and answers with the lines it found. */
const plant = (rule: (sources: Source[]) => Finding[], tree: Tree) => show(rule(parseTree(tree)));

describe('the layer rule', () => {
  const forbidden: [string, string, string][] = [
    ['protocol sees nothing of ours', 'runtime/protocol/a.ts', "import type { T } from '../turn/b.ts';"],
    ['protocol imports no builtin', 'runtime/protocol/a.ts', "import { Buffer } from 'node:buffer';"],
    ['turn does not see ports', 'runtime/turn/a.ts', "import type { T } from '../ports/b.ts';"],
    ['core does not see ports', 'runtime/core/a.ts', "export type { T } from '../ports/b.ts';"],
    ['ports do not see core', 'runtime/ports/a.ts', "export * from '../core/b.ts';"],
    ['the agent does not see adapters', 'runtime/agent/a.ts', "const { b } = await import('../adapters/b.ts');"],
    ['adapters do not see the agent', 'runtime/adapters/a.ts', "type T = import('../agent/b.ts').T;"],
    ['nobody imports a main', 'runtime/agent/a.ts', "import '../main.ts';"],
    ['gateway core does not see the service', 'gateway/core/a.ts', "import { b } from '../service/b.ts';"],
    ['the service does not see the store', 'gateway/service/a.ts', "import { b } from '../store/b.ts';"],
    ['the broker sees doors, not the service', 'gateway/broker/a.ts', "import { b } from '../service/b.ts';"],
    ['the service does not see the board', 'gateway/service/a.ts', "import { b } from '../../runtime/core/b.ts';"],
    ['the CLI sees protocol only', 'gateway/cli/a.ts', "import { b } from '../../runtime/turn/b.ts';"],
    ['the dashboard sees protocol only', 'gateway/dashboard/a.ts', "import { b } from '../service/b.ts';"],
    ['the entry loads other commands lazily', 'gateway/lichen.ts', "import { b } from '../sim/cli.ts';"],
    ['nobody else loads the simulator', 'gateway/cli/a.ts', "await import('../../sim/cli.ts');"],
    ['nobody imports a test', 'sim/a.ts', "import { b } from '../test/b.ts';"],
    ['the judge shares no code with the accused', 'sim/oracle/a.ts', "import { b } from '../../gateway/core/b.ts';"],
    ['the story runs programs', 'sim/story/a.ts', "import { b } from '../../gateway/service/b.ts';"],
    ['the builder does not see the board', 'recipes/builder/a.ts', "import { b } from '../../runtime/agent/b.ts';"],
    ['every file has a room', 'runtime/a.ts', 'export const a = 1;'],
  ];
  test.each(forbidden)('%s', (_name, path, text) => {
    expect(plant(layerFindings, { [path]: text })).toHaveLength(1);
  });

  test('a gateway shares adapters that do not lead to ports', () => {
    const tree = {
      'gateway/main.ts': "import { c } from '../runtime/adapters/clock.ts';\nimport { p } from '../runtime/adapters/partitions.ts';",
      'runtime/adapters/clock.ts': "import type { C } from '../turn/clock.ts';",
      'runtime/adapters/partitions.ts': "import { s } from './step.ts';",
      'runtime/adapters/step.ts': "import type { P } from '../ports/partitions.ts';",
    };
    expect(plant(layerFindings, tree)).toEqual([
      expect.stringContaining('gateway/main.ts:2 layers: runtime/adapters/partitions.ts serves'),
    ]);
  });

  test('what goes down is let through', () => {
    const tree = {
      'runtime/agent/a.ts': "import { c } from '../core/c.ts';\nimport type { P } from '../ports/p.ts';\nimport { x } from './x.ts';",
      'runtime/core/c.ts': "import * as v from 'valibot';\nimport { i } from '../protocol/i.ts';",
      'gateway/store/s.ts': "import type { Store } from '../../runtime/turn/store.ts';\nimport { open } from 'lmdb';",
      'gateway/lichen.ts': "import { run } from './cli/run.ts';\nawait import('../sim/cli.ts');\nawait import('./main.ts');",
      'sim/world.ts': "import { Agent } from '../runtime/agent/agent.ts';\nimport { judge } from './oracle/judge.ts';",
      'test/runtime/a.test.ts': "import { main } from '../../runtime/main.ts';",
      'runtime/protocol/i.ts': "// import { x } from 'node:fs';\nexport const text = \"import { x } from '../turn/x.ts'\";",
    };
    expect(plant(layerFindings, tree)).toEqual([]);
  });

  test('cycles are found, through types too, and each once', () => {
    const tree = {
      'runtime/core/a.ts': "import { b } from './b.ts';",
      'runtime/core/b.ts': "import type { C } from './c.ts';",
      'runtime/core/c.ts': "export * from './a.ts';",
      'runtime/core/d.ts': "import { a } from './a.ts';\nconst d = await import('./d.ts');",
    };
    expect(plant(cycleFindings, tree)).toEqual([
      'runtime/core/a.ts:1 cycles: runtime/core/a.ts > runtime/core/b.ts > runtime/core/c.ts > runtime/core/a.ts',
    ]);
  });
});

describe('the door rule', () => {
  const forbidden = [
    'const t = Date.now();',
    'const t = new Date();',
    'const t = Date();',
    'const now = Date.now;',
    'const t = performance.now();',
    'const r = Math.random();',
    'const r = crypto.randomUUID();',
    'crypto.getRandomValues(bytes);',
    'setTimeout(f, 1);',
    'globalThis.setInterval(f, 1);',
    'setImmediate(f);',
    'const wait = { later: setTimeout };',
    'retry(setTimeout);',
    'const e = process.env.HOME;',
    'const get = fetch;',
    "await fetch('http://127.0.0.1');",
    "import { readFileSync } from 'node:fs';",
    "import { readFile } from 'node:fs/promises';",
    "import { readFileSync } from 'fs';",
    "import { setTimeout as sleep } from 'node:timers/promises';",
    "import { randomBytes } from 'node:crypto';",
    "const { spawn } = await import('node:child_process');",
    "import { open } from 'lmdb';",
  ];
  test.each(forbidden)('refuses %s in a decision, and lets an adapter do it', (text) => {
    expect(plant(doorFindings, { 'gateway/service/a.ts': text })).toHaveLength(1);
    expect(plant(doorFindings, { 'runtime/adapters/a.ts': text })).toEqual([]);
  });

  test('a broker may use sockets, and is handed its clock', () => {
    const tree = { 'gateway/broker/a.ts': "import { createServer } from 'node:net';\nsetTimeout(f, 1);" };
    expect(plant(doorFindings, tree)).toEqual(['gateway/broker/a.ts:2 doors: setTimeout: time comes through a door']);
  });

  test('what only looks like it is let through', () => {
    const text = [
      '// Date.now() and setTimeout(f, 1) are banned here',
      "const said = 'Math.random()';",
      'const day = new Date(ms).toISOString();',
      'export function f(clock, process, { fetch }) { process.step(); fetch(); return clock.now() + Math.max(1, 2) + x.performance.y; }',
      'const o = { setTimeout: 1 };',
    ];
    expect(plant(doorFindings, { 'runtime/core/a.ts': text.join('\n') })).toEqual([]);
  });

  test('a workload is a program of its own', () => {
    expect(plant(doorFindings, { 'recipes/sensor/main.ts': 'setInterval(f, 1);' })).toEqual([]);
    expect(plant(doorFindings, { 'recipes/builder/a.ts': 'setInterval(f, 1);' })).toHaveLength(1);
  });

  test.each(['async function f() {}', 'const f = async () => 1;', 'await x;'])('a pure room does not wait: %s', (text) => {
    expect(plant(doorFindings, { 'gateway/core/a.ts': text })).toHaveLength(1);
    expect(plant(doorFindings, { 'gateway/service/a.ts': text })).toEqual([]);
  });
});

describe('the shape rules', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, at) => `export const n${at} = ${at};`).join('\n');
  const body = (count: number) => `export function long() {\n${'  f();\n'.repeat(count - 2)}}`;

  test('long files and functions are found, and exceptions can only shrink', () => {
    const sized = (tree: Tree, files = {}, functions = {}) => show(sizeFindings(parseTree(tree), files, functions));
    expect(sized({ 'sim/a.ts': lines(400), 'sim/b.ts': body(70) })).toEqual([]);
    expect(sized({ 'sim/a.ts': lines(401) })).toEqual(['sim/a.ts:1 file length: sim/a.ts has 401 lines, more than 400']);
    expect(sized({ 'sim/b.ts': body(71) })).toEqual(['sim/b.ts:1 function length: sim/b.ts:long has 71 lines, more than 70']);
    expect(sized({ 'sim/b.ts': `export function make() {\n${body(60).replace('export ', '')}\n${'  f();\n'.repeat(60)}}` })).toEqual([]);
    expect(sized({ 'sim/b.ts': `export function make() {\n${body(71).replace('export ', '')}\n}` })).toHaveLength(1);
    expect(sized({ 'sim/c.ts': `const f = () => {${'\n'.repeat(71)}};` })).toHaveLength(1);
    expect(sized({ 'sim/a.ts': lines(420) }, { 'sim/a.ts': 420 })).toEqual([]);
    expect(sized({ 'sim/a.ts': lines(421) }, { 'sim/a.ts': 420 })).toHaveLength(1);
    expect(sized({ 'sim/a.ts': lines(399) }, { 'sim/a.ts': 420 })).toEqual([expect.stringContaining('no longer')]);
    expect(sized({ 'sim/b.ts': body(60) }, {}, { 'sim/b.ts:long': 80 })).toEqual([expect.stringContaining('no longer')]);
  });

  test('barrels are found', () => {
    expect(plant(barrelFindings, { 'sim/index.ts': 'export const a = 1;' })).toHaveLength(1);
    expect(plant(barrelFindings, { 'sim/all.ts': "export * from './a.ts';\nexport { b } from './b.ts';" })).toHaveLength(1);
    expect(plant(barrelFindings, { 'sim/a.ts': "export * from './b.ts';\nexport const a = 1;" })).toEqual([]);
  });

  test('drawers and strangers at the top level are found', () => {
    expect(show(nameFindings({ 'runtime/utils/a.ts': '', 'sim/helpers.ts': '', 'sim/library.ts': '' }))).toHaveLength(2);
    expect(show(layoutFindings({ 'src/a.ts': '', 'vitest.config.ts': '', '.biome.json': '', 'docs/a.md': '' }))).toHaveLength(2);
  });

  test.each([
    'let a: any;',
    'const a = b as any;',
    'const a = b as unknown as C;',
    'const a = <C>b;',
    '// @ts-ignore\na();',
    '/* @ts-nocheck */',
  ])('loose types are found: %s', (text) => expect(plant(typeFindings, { 'runtime/core/a.ts': text })).not.toEqual([]));

  test('the codec may cast, and anyone may say const', () => {
    expect(
      plant(typeFindings, { 'runtime/protocol/a.ts': 'const a = b as C;', 'runtime/core/a.ts': "const any = ['any'] as const;" }),
    ).toEqual([]);
    expect(plant(typeFindings, { 'test/a.test.ts': '// @ts-expect-error refused by the type\nf(1);' })).toEqual([]);
  });

  test('leftovers are found in comments, not in text', () => {
    const word = `TO${'DO'}`;
    expect(plant(leftoverFindings, { 'sim/a.ts': `// ${word}: later\nconst a = 1;` })).toHaveLength(1);
    expect(plant(leftoverFindings, { 'sim/a.ts': '/** Written as requested. */' })).toHaveLength(1);
    expect(plant(leftoverFindings, { 'sim/a.ts': `const a = '${word}';` })).toEqual([]);
  });

  test('the place of a checkout is found', () => {
    const found = (text: string, home: string) => show(homeFindings({ 'docs/a.md': text }, home));
    expect(found('see\n/elsewhere/lichen/docs', '/elsewhere/lichen')).toEqual([
      'docs/a.md:2 home: names /elsewhere/, a path of one machine',
    ]);
    expect(found('see /elsewhere/notes.md', '/elsewhere/lichen')).toHaveLength(1);
    expect(found('mkdir /tmp/x', '/tmp/lichen')).toEqual([]);
    expect(found('cd /tmp/lichen/docs', '/tmp/lichen')).toHaveLength(1);
    expect(found('https://example.org/elsewhere/a', '/elsewhere/lichen')).toEqual([]);
  });

  test.each(['only', 'skip', 'todo'])('a test with .%s is found', (word) => {
    expect(plant(focusFindings, { 'test/a.test.ts': `test.${word}('a', () => {});` })).toHaveLength(1);
    expect(plant(focusFindings, { 'test/a.test.ts': "if (!isRoot) test.skip('needs root', () => {});" })).toEqual([]);
    expect(plant(focusFindings, { 'test/a.test.ts': "test.skipIf(!isRoot)('a', () => {});" })).toEqual([]);
  });
});

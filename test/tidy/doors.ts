/** Time, randomness, disk, network, processes and crypto come only through doors: which names reach past them, and where they may. */
import type { ESTree } from 'rolldown/utils';
import type { Finding, Source } from './source.ts';

type Kind = 'time' | 'random' | 'disk' | 'net' | 'process' | 'crypto';

const everything: Kind[] = ['time', 'random', 'disk', 'net', 'process', 'crypto'];

/** Leaf adapters, mains and tools. A path ending in `/` is a directory. */
const allowed: [path: string, kinds: Kind[]][] = [
  ['runtime/adapters/', everything],
  // A page and a name on the network; clocks are handed in.
  ['runtime/unpaired/', ['net']],
  ['runtime/main.ts', everything],
  ['gateway/main.ts', everything],
  ['gateway/lichen.ts', everything],
  ['gateway/cli/', everything],
  ['gateway/store/', everything],
  // Sockets are what these two are; clocks and chance are handed to them, so that the simulator can.
  ['gateway/broker/', ['net']],
  ['gateway/peers/', ['net']],
  ['gateway/api/', ['net']],
  // Runs in a browser.
  ['gateway/dashboard/', ['time', 'net']],
  ['recipes/builder/', ['disk', 'process']],
  ['firmware-images/', ['disk', 'process', 'net', 'crypto']],
  ['sim/story/', everything],
  ['sim/harness/', everything],
  ['sim/cli.ts', everything],
  // Takes the process's own timers and chance away from libraries that cannot be handed others.
  ['sim/net/stage.ts', ['time', 'random', 'crypto', 'process']],
  ['test/', everything],
  ['build.mjs', everything],
];

const modules: Record<string, Kind> = {
  child_process: 'process',
  cluster: 'process',
  crypto: 'crypto',
  dgram: 'net',
  dns: 'net',
  fs: 'disk',
  http: 'net',
  http2: 'net',
  https: 'net',
  inspector: 'process',
  net: 'net',
  os: 'process',
  perf_hooks: 'time',
  process: 'process',
  readline: 'process',
  sqlite: 'disk',
  timers: 'time',
  tls: 'net',
  v8: 'process',
  vm: 'process',
  worker_threads: 'process',
};

/** Packages that are a door by themselves. */
const packages: Record<string, Kind> = {
  lmdb: 'disk',
  mqtt: 'net',
  aedes: 'net',
  systeminformation: 'process',
  postgres: 'net',
  pg: 'net',
};

const globals: Record<string, Kind> = {
  setTimeout: 'time',
  setInterval: 'time',
  setImmediate: 'time',
  clearTimeout: 'time',
  clearInterval: 'time',
  clearImmediate: 'time',
  performance: 'time',
  fetch: 'net',
  WebSocket: 'net',
  process: 'process',
  crypto: 'crypto',
};

/** Of these globals only one member reaches outside. */
const members: Record<string, Record<string, Kind>> = { Date: { now: 'time' }, Math: { random: 'random' } };

/** Rooms that decide: no `await`, so that a decision is one step for the simulator and for a crash. */
const synchronous = ['runtime/protocol/', 'runtime/core/', 'gateway/core/'];

/** What runs inside a partition is a program of its own and no part of Lichen. */
const isWorkload = (path: string) => /^recipes\/(?!builder\/)/.test(path);

export function doorFindings(sources: Source[]): Finding[] {
  return sources
    .filter(({ path }) => !isWorkload(path))
    .flatMap((source) => [...importsPastDoors(source), ...callsPastDoors(source), ...waits(source)]);
}

function mayUse(path: string, kind: Kind): boolean {
  return allowed.some(([at, kinds]) => (at.endsWith('/') ? path.startsWith(at) : path === at) && kinds.includes(kind));
}

function importsPastDoors({ path, imports }: Source): Finding[] {
  return imports.flatMap(({ specifier, line }) => {
    const [, builtin = ''] = /^(?:node:)?([a-z0-9_]+)(?:\/|$)/.exec(specifier) ?? [];
    const kind = modules[builtin] ?? packages[specifier];
    if (!kind || specifier.startsWith('.') || mayUse(path, kind)) return [];
    return [{ rule: 'doors', path, line, detail: `imports ${specifier}: ${kind} comes through a door` }];
  });
}

function callsPastDoors(source: Source): Finding[] {
  const found: Finding[] = [];
  const declared = declaredNames(source);
  const report = (node: { start: number }, name: string, kind: Kind) => {
    if (!mayUse(source.path, kind)) {
      found.push({ rule: 'doors', path: source.path, line: source.lineAt(node.start), detail: `${name}: ${kind} comes through a door` });
    }
  };
  const isGlobal = (name: string) => !declared.has(name);
  const use = (node: ESTree.Expression) => {
    if (node.type === 'Identifier' && isGlobal(node.name) && Object.hasOwn(globals, node.name))
      report(node, node.name, globals[node.name] ?? 'process');
  };
  source.visit({
    MemberExpression: (node) => {
      const property = node.computed ? undefined : node.property.name;
      if (node.object.type === 'Identifier' && property !== undefined) {
        const owner = node.object.name;
        if (owner === 'globalThis' && Object.hasOwn(globals, property))
          report(node, `globalThis.${property}`, globals[property] ?? 'process');
        const kind = Object.hasOwn(members, owner) && isGlobal(owner) ? members[owner]?.[property] : undefined;
        if (kind) report(node, `${owner}.${property}`, kind);
      }
      use(node.object);
    },
    CallExpression: (node) => {
      use(node.callee);
      for (const argument of node.arguments) if (argument.type === 'Identifier') use(argument);
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date') report(node, 'Date()', 'time');
    },
    NewExpression: (node) => {
      use(node.callee);
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && node.arguments.length === 0)
        report(node, 'new Date()', 'time');
    },
    Property: (node) => use(node.value as ESTree.Expression),
    VariableDeclarator: (node) => node.init && use(node.init),
    AssignmentExpression: (node) => use(node.right),
    AssignmentPattern: (node) => use(node.right),
  });
  return found;
}

/** Names that the file itself binds, roughly: a parameter called `fetch` or `process` is a door, not the global. */
function declaredNames(source: Source): Set<string> {
  const names = new Set<string>();
  const bind = (node: ESTree.Node | null) => {
    if (!node) return;
    if (node.type === 'Identifier') names.add(node.name);
    else if (node.type === 'AssignmentPattern') bind(node.left);
    else if (node.type === 'RestElement') bind(node.argument);
    else if (node.type === 'ArrayPattern') for (const element of node.elements) bind(element);
    else if (node.type === 'ObjectPattern')
      for (const property of node.properties) bind(property.type === 'Property' ? property.value : property);
  };
  const parameters = (node: ESTree.Function | ESTree.ArrowFunctionExpression) => {
    for (const parameter of node.params) bind(parameter as ESTree.Node);
  };
  source.visit({
    VariableDeclarator: (node) => bind(node.id),
    FunctionDeclaration: (node) => {
      bind(node.id);
      parameters(node);
    },
    FunctionExpression: parameters,
    ArrowFunctionExpression: parameters,
    ImportSpecifier: (node) => bind(node.local),
    ImportDefaultSpecifier: (node) => bind(node.local),
    ImportNamespaceSpecifier: (node) => bind(node.local),
  });
  return names;
}

function waits(source: Source): Finding[] {
  if (!synchronous.some((room) => source.path.startsWith(room))) return [];
  const found: Finding[] = [];
  const report = (node: { start: number }) => {
    found.push({ rule: 'doors', path: source.path, line: source.lineAt(node.start), detail: 'waits: decisions are synchronous' });
  };
  source.visit({
    AwaitExpression: report,
    FunctionDeclaration: (node) => node.async && report(node),
    FunctionExpression: (node) => node.async && report(node),
    ArrowFunctionExpression: (node) => node.async && report(node),
  });
  return found;
}

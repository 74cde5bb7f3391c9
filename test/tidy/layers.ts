/** Who may see whom. Imports go down only; what is not allowed here is forbidden, and a file that stands in no room is a finding. */
import { type Finding, type Import, resolve, type Source } from './source.ts';

interface Room {
  name: string;
  /** Path prefixes, or whole paths. The longest match over all rooms wins. */
  at: string[];
  /** Rooms that this one may import besides itself; `lazily` only by `await import()`. */
  sees: string[];
  lazily?: string[];
}

const shared = ['runtime/protocol', 'runtime/turn', 'runtime/client', 'runtime/adapters'];

export const rooms: Room[] = [
  { name: 'runtime/protocol', at: ['runtime/protocol/'], sees: [] },
  { name: 'runtime/turn', at: ['runtime/turn/'], sees: ['runtime/protocol'] },
  { name: 'runtime/core', at: ['runtime/core/'], sees: ['runtime/protocol', 'runtime/turn'] },
  { name: 'runtime/ports', at: ['runtime/ports/'], sees: ['runtime/protocol', 'runtime/turn'] },
  { name: 'runtime/agent', at: ['runtime/agent/'], sees: ['runtime/protocol', 'runtime/turn', 'runtime/core', 'runtime/ports'] },
  { name: 'runtime/adapters', at: ['runtime/adapters/'], sees: ['runtime/protocol', 'runtime/turn', 'runtime/client', 'runtime/ports'] },
  // What a client of the federation needs, a board or a person's machine: keys, certificates, TLS and MQTT.
  {
    name: 'runtime/client',
    at: [
      'crypto',
      'entropy',
      'keyfile',
      'certificate',
      'hpke',
      'tls',
      'frames',
      'mqtt-header',
      'mqtt-session',
      'zstd',
      'stick-folder',
      'sealed-key',
      'passphrase',
    ].map((file) => `runtime/adapters/${file}.ts`),
    sees: ['runtime/protocol', 'runtime/turn'],
  },
  // What a board does and shows until it has a gateway.
  { name: 'runtime/unpaired', at: ['runtime/unpaired/'], sees: shared },
  {
    name: 'runtime/main',
    at: ['runtime/main.ts', 'runtime/words.ts'],
    sees: [...shared, 'runtime/core', 'runtime/ports', 'runtime/agent', 'runtime/unpaired'],
  },

  { name: 'gateway/core', at: ['gateway/core/'], sees: ['runtime/protocol', 'runtime/turn'] },
  // What the adapters of the gateway must offer; the rest of the service is above them.
  { name: 'gateway/doors', at: ['gateway/service/doors.ts'], sees: ['runtime/protocol', 'runtime/turn'] },
  { name: 'gateway/service', at: ['gateway/service/'], sees: ['runtime/protocol', 'runtime/turn', 'gateway/core', 'gateway/doors'] },
  { name: 'gateway/store', at: ['gateway/store/'], sees: [...shared, 'gateway/doors'] },
  // Its one door leads to the peers too.
  { name: 'gateway/broker', at: ['gateway/broker/'], sees: [...shared, 'gateway/doors', 'gateway/peers'] },
  { name: 'gateway/peers', at: ['gateway/peers/'], sees: [...shared, 'gateway/doors'] },
  {
    name: 'gateway/api',
    at: ['gateway/api/'],
    sees: ['runtime/protocol', 'runtime/turn', 'gateway/core', 'gateway/doors', 'gateway/service'],
  },
  { name: 'gateway/export', at: ['gateway/export/'], sees: ['runtime/protocol', 'runtime/turn', 'gateway/core'] },
  // They can do nothing that the public API cannot.
  { name: 'gateway/cli', at: ['gateway/cli/'], sees: ['runtime/protocol', 'runtime/client'] },
  { name: 'gateway/dashboard', at: ['gateway/dashboard/'], sees: ['runtime/protocol'] },
  {
    name: 'gateway/main',
    at: ['gateway/main.ts'],
    sees: [...shared, ...['core', 'doors', 'service', 'store', 'broker', 'peers', 'api', 'export'].map((room) => `gateway/${room}`)],
  },
  {
    name: 'gateway/lichen',
    at: ['gateway/lichen.ts'],
    sees: ['runtime/protocol', 'gateway/cli'],
    lazily: ['gateway/main', 'runtime/main', 'runtime/adapters', 'sim/cli', 'recipes/builder', 'firmware-images'],
  },

  { name: 'recipes/builder', at: ['recipes/builder/'], sees: shared },
  // An update of an image is a release.
  { name: 'firmware-images', at: ['firmware-images/'], sees: [...shared, 'recipes/builder'] },

  // A judge shares no code with the accused.
  { name: 'sim/oracle', at: ['sim/oracle/', 'sim/oracle.ts'], sees: ['runtime/protocol'] },
  // The story does what a person does: it runs the entries as processes of their own.
  { name: 'sim/story', at: ['sim/story/'], sees: ['runtime/protocol', 'runtime/client', 'gateway/cli', 'recipes/builder', 'sim/harness'] },
  { name: 'sim/harness', at: ['sim/harness/'], sees: ['runtime/protocol'] },
  { name: 'sim/cli', at: ['sim/cli.ts'], sees: ['runtime/protocol', 'sim', 'sim/oracle'] },
  {
    name: 'sim',
    at: ['sim/'],
    sees: [
      // A workload's limits and promises are those of its recipe.
      ...[...shared, 'runtime/core', 'runtime/ports', 'runtime/agent', 'recipes/builder', 'sim/oracle'],
      ...['core', 'doors', 'service', 'store', 'broker', 'peers'].map((room) => `gateway/${room}`),
    ],
  },
];

/** Rooms that stand above the two ends: an adapter shared with the gateway must not lead to the board's own doors. */
const gatewayRooms = /^gateway\//;

export function roomOf(path: string): Room | undefined {
  let best: { room: Room; length: number } | undefined;
  for (const room of rooms) {
    for (const at of room.at) {
      const matches = at.endsWith('/') ? path.startsWith(at) : path === at;
      if (matches && at.length > (best?.length ?? 0)) best = { room, length: at.length };
    }
  }
  return best?.room;
}

const isOutside = (path: string) => path.startsWith('test/') || path === 'build.mjs' || /^recipes\/(?!builder\/)[^/]+\//.test(path);

export function layerFindings(sources: Source[]): Finding[] {
  const graph = importGraph(sources);
  return sources
    .filter(({ path }) => !isOutside(path))
    .flatMap((source) => [...source.imports.flatMap((one) => judge(source, one, graph)), ...homeless(source)]);
}

function homeless({ path }: Source): Finding[] {
  return roomOf(path) ? [] : [{ rule: 'layers', path, line: 1, detail: 'stands in no room of the house' }];
}

function judge({ path }: Source, { specifier, line, isDynamic }: Import, graph: Map<string, string[]>): Finding[] {
  const room = roomOf(path);
  const refuse = (detail: string): Finding[] => [{ rule: 'layers', path, line, detail }];
  if (!room) return [];
  if (specifier.startsWith('node:')) return room.name === 'runtime/protocol' ? refuse(`protocol imports ${specifier}`) : [];
  const target = resolve(path, specifier);
  if (target === undefined || target.endsWith('package.json')) return [];
  const targetRoom = roomOf(target);
  if (!targetRoom) return refuse(`imports ${target}, which no room may see`);
  if (targetRoom === room) return [];
  const isSeen = room.sees.includes(targetRoom.name) || (isDynamic && room.lazily?.includes(targetRoom.name) === true);
  if (!isSeen) return refuse(`${room.name} must not see ${targetRoom.name} (${target})`);
  if (gatewayRooms.test(room.name) && targetRoom.name === 'runtime/adapters' && leadsToPorts(target, graph)) {
    return refuse(`${target} serves the board's own ports; a gateway shares single-purpose adapters only`);
  }
  return [];
}

function leadsToPorts(start: string, graph: Map<string, string[]>): boolean {
  const seen = new Set([start]);
  for (const path of seen) {
    if (path.startsWith('runtime/ports/')) return true;
    for (const next of graph.get(path) ?? []) seen.add(next);
  }
  return false;
}

function importGraph(sources: Source[]): Map<string, string[]> {
  return new Map(
    sources.map(
      ({ path, imports }) => [path, imports.flatMap(({ specifier }) => resolve(path, specifier) ?? [])] satisfies [string, string[]],
    ),
  );
}

/** Each import cycle once, named from its alphabetically first file. Lazy imports do not count: they are not needed to load. */
export function cycleFindings(sources: Source[]): Finding[] {
  const graph = new Map(
    sources.map(({ path, imports }) => {
      const targets = imports.filter(({ isDynamic }) => !isDynamic).flatMap(({ specifier }) => resolve(path, specifier) ?? []);
      return [path, targets] satisfies [string, string[]];
    }),
  );
  const found = new Map<string, Finding>();
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const ring = trail.slice(at);
      const first = ring.indexOf([...ring].sort()[0] ?? path);
      const cycle = [...ring.slice(first), ...ring.slice(0, first)];
      const detail = [...cycle, cycle[0]].join(' > ');
      found.set(detail, { rule: 'cycles', path: cycle[0] ?? path, line: 1, detail });
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  return [...found.values()];
}

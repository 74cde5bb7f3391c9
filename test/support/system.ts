/** Systems of boards as releases, on paper, and a board with two slots among paper gateways. */
import { type About, bundleOf, type Packed, pack, withParents } from '../../recipes/builder/pack.ts';
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Part } from '../../runtime/protocol/image.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { SlotCard } from '../../sim/hardware/slots.ts';
import { type Among, BOARD, BoardWorld, type WorldLan } from './board-world.ts';
import { keyOf, testCrypto } from './crypto.ts';
import { hashOf, OWNER, PUBLISHER } from './federation.ts';
import { publisherDoc, signedPublisher } from './small-release.ts';

/** No two stretches of it are alike. */
export const noise = (seed: string, bytes: number): Bytes => {
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 32) out.set(testCrypto.sha256(utf8(`${seed}/${at}`)).subarray(0, Math.min(32, bytes - at)), at);
  return out;
};

/** What was written to the card: as far as the board looks at it, an erofs of 30 blocks. */
export const FIRST_ROOT = ((): Bytes => {
  const root = noise('common', 30 * 4096);
  const view = new DataView(root.buffer);
  view.setUint32(1024, 0xe0f5e1e2, true);
  view.setUint8(1024 + 12, 12);
  view.setUint32(1024 + 36, 30, true);
  return root;
})();

/** Shares its beginning with what was written to the card, and differs from every other in the rest. */
export const rootOf = (sequence: number): Bytes => {
  const root = new Uint8Array([...FIRST_ROOT, ...noise(`system ${sequence}`, 8 * 4096)]);
  new DataView(root.buffer).setUint32(1024 + 36, 38, true);
  return root;
};

export interface System {
  release: Bytes;
  manifest: Manifest;
  root: Bytes;
  document: Bytes;
  content: Map<string, Bytes>;
}

const made = new Map<number, System>();

/** As its publisher would have it, but for the changes. */
export const system = (sequence: number, changes: Partial<Manifest> | null = null, { by = 'release key' } = {}): System => {
  if (changes !== null || by !== 'release key') return make(sequence, changes ?? {}, by);
  const held = made.get(sequence) ?? make(sequence, {}, by);
  made.set(sequence, held);
  return held;
};

const make = (sequence: number, changes: Partial<Manifest>, by: string): System => {
  const root = rootOf(sequence);
  const files = { root, 'boot/linux': noise(`linux ${sequence}`, 9000), 'boot/first': noise('first', 5000), 'boot/words': utf8('quiet\n') };
  const packed = pack(withParents(Object.entries(files).map(([path, bytes]) => ({ kind: 'file', path, executable: false, bytes }))));
  const about = {
    ...{ publisher: PUBLISHER, recipe: 'image-generic-amd64', label: `${sequence}.0`, sequence, arch: 'x64' as const },
    ...{ args: ['/root'], env: {}, engine: 'none' as const, parameters: {}, promises: [], demands: 'dev' as const },
    limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 1 },
    image: { board: 'generic-amd64' },
    ...changes,
  };
  return bundled(packed, about, root, by);
};

const bundled = (packed: Packed, about: About, root: Bytes, by: string): System => {
  const { release, manifest, pages, chunks } = bundleOf(packed, about, keyOf(by));
  const whole: Manifest = {
    v: 1,
    pages: [...pages.keys()].map((key) => new Uint8Array(Buffer.from(key, 'hex'))),
    entries: 0,
    bytes: 0,
    ...about,
  };
  return { release, manifest: whole, root, document: manifest, content: new Map([...pages, ...chunks]) };
};

/** A runtime alone. */
export const runtimeRelease = (sequence: number): System => {
  const bytes = rootOf(sequence);
  const about: About = {
    ...{ publisher: PUBLISHER, recipe: 'runtime-generic-amd64', label: `${sequence}.0`, sequence, arch: 'x64' },
    ...{ args: ['/runtime'], env: {}, engine: 'none', parameters: {}, promises: [], demands: 'dev' },
    limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 1 },
    image: { board: 'generic-amd64', part: 'runtime' },
  };
  return bundled(pack([{ kind: 'file', path: 'runtime', executable: false, bytes }]), about, bytes, 'release key');
};

export const upkeep = (changes: Partial<Upkeep> = {}): Upkeep => ({
  v: 1,
  board: BOARD,
  owner: OWNER,
  version: 1,
  publisher: PUBLISHER,
  ...changes,
});

/** All gateways assign it from now on. `publisher`: the version that they name, when it is not the first. */
export const assign = (
  world: BoardWorld,
  { release, document, content, manifest }: System,
  word: Upkeep = upkeep(),
  by = 'owner',
  publisher = hashOf(publisherNoun, publisherDoc()),
): void => {
  const field = manifest.image?.part === 'runtime' ? 'runtime' : 'image';
  const doc = publisherDoc();
  const signed = hashOf(upkeepNoun, word);
  world.hold([hashOf(publisherNoun, doc), signedPublisher(doc)], [release, document], [signed, seal(upkeepNoun, word, keyOf(by))]);
  for (const [hash, bytes] of content) world.home.shelf.held.set(hash, bytes);
  for (const gateway of world.gateways) {
    gateway.forge.desired = { ...gateway.forge.desired, [field]: { release, publisher, upkeep: signed } };
    gateway.seq++;
  }
  if (world.linked !== null) world.message('desired', world.linked.desired(BOARD, world.tenure));
};

/** A paired board that was started from what was written to its card. `works`: of a system or a runtime that is started. */
export const slottedWorld = (
  works: (release: string | null, world: BoardWorld) => boolean = () => true,
  lan: WorldLan | null = null,
  among?: Among,
) => {
  const clock = (ms: number, call: () => void): void => void world.clock.after(ms, call);
  const card = (part: Part, restart: () => void): SlotCard =>
    new SlotCard({ crypto: testCrypto, root: FIRST_ROOT, part, after: clock, restart });
  const slots = card('system', () => powerOn());
  const versions = card('runtime', () => startRuntime());
  const world: BoardWorld = new BoardWorld({}, slots, versions, lan, among);
  /** What does not work starts nothing, and the watchdog has it start again. */
  const powerOn = (): void => {
    slots.powerCut(() => true);
    for (slots.boot(); !works(slots.system.release, world); ) slots.boot();
    world.reboot();
  };
  const startRuntime = (): void => {
    for (versions.boot(); !works(versions.system.release, world); ) versions.boot();
    world.restart();
  };
  return { world: world.pair(), slots, versions, powerOn };
};

export const hexOf = ({ release }: System): string => hex(release);

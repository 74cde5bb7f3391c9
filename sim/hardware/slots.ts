/**
 * Two system slots on a card that forgets what was not synced when the power goes, behind the runtime's own door. What starts
 * the machine counts as systemd's loader does: a new system is started so often, and then the old one again, unless it was kept.
 */
import type { Slots, SlotsContentEvent, SlotsEvent, SlotsState, SlotsStep } from '../../runtime/ports/slots.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { chunksOf, gearFrom } from '../../runtime/protocol/chunk.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { imageFiles, type Part, ROOT_FILE, RUNTIME_FILE, runtimeFiles } from '../../runtime/protocol/image.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';
import type { FileRef, Jigsaw, Place } from '../../runtime/protocol/nouns/release.ts';

export type Slot = 'a' | 'b';

const TRIES = 3;

/** What the loader knows of a slot. */
interface Entry {
  /** Null: it is not counted. */
  left: number | null;
  version: number;
}

/** All that lies on the card. */
interface Plate {
  roots: Map<Slot, Bytes>;
  /** Slot → name → content. */
  folders: Map<Slot, Map<string, Bytes>>;
  releases: Map<Slot, string>;
  entries: Map<Slot, Entry>;
}

const copyOf = ({ roots, folders, releases, entries }: Plate): Plate => ({
  roots: new Map([...roots].map(([slot, root]) => [slot, new Uint8Array(root)])),
  folders: new Map([...folders].map(([slot, files]) => [slot, new Map(files)])),
  releases: new Map(releases),
  entries: new Map([...entries].map(([slot, entry]) => [slot, { ...entry }])),
});

const other = (slot: Slot): Slot => (slot === 'a' ? 'b' : 'a');

const putInto = (held: Bytes, bytes: Bytes, offset: number): Bytes => {
  const whole = new Uint8Array(Math.max(held.length, offset + bytes.length));
  whole.set(held);
  whole.set(bytes, offset);
  return whole;
};

const NONE = new Uint8Array(0);

export interface SlotCardOptions {
  /** Of what it holds two. */
  part?: Part;
  crypto: Crypto;
  /** The system that was written to the card. */
  root: Bytes;
  /** When a step is done. */
  after(ms: number, call: () => void): void;
  restart(): void;
}

export class SlotCard implements Slots {
  /** What a power cut leaves, and what is seen while there is power. */
  #kept: Plate;
  #seen: Plate;
  #unsynced: ((plate: Plate) => void)[] = [];
  running: Slot = 'a';
  /** Things done to the card so far; at one of them the power may go. */
  deeds = 0;
  cutAt = 0;
  cut: () => void = () => {};
  #files = new Map<string, { path: string; bytes: number; hash: Bytes }>();
  #staged = new Map<string, Bytes>();
  #unsealed = new Set<string>();
  #life = 0;
  readonly #options: SlotCardOptions;

  constructor(options: SlotCardOptions) {
    this.#options = options;
    const entries = new Map<Slot, Entry>([['a', { left: null, version: 1 }]]);
    this.#kept = { roots: new Map([['a', options.root]]), folders: new Map(), releases: new Map(), entries };
    this.#seen = copyOf(this.#kept);
  }

  /** Of another board that was started from a copy of the card. */
  copy(options: SlotCardOptions): SlotCard {
    const card = new SlotCard(options);
    card.#kept = copyOf(this.#kept);
    card.#seen = copyOf(this.#kept);
    return card;
  }

  get #isRuntime(): boolean {
    return this.#options.part === 'runtime';
  }

  /** What is started. */
  get #main(): string {
    return this.#isRuntime ? RUNTIME_FILE : ROOT_FILE;
  }

  /** Root of the slot that runs, as it lies on the card. */
  get root(): Bytes {
    return this.#kept.roots.get(this.running) ?? NONE;
  }

  get state(): SlotsState {
    const { releases, entries } = this.#seen;
    const idle = other(this.running);
    const entry = entries.get(idle);
    const kept = entry === undefined ? 'empty' : entry.left === null ? 'kept' : null;
    return {
      running: this.running,
      runningRelease: releases.get(this.running) ?? null,
      trial: (entries.get(this.running)?.left ?? null) !== null,
      idle: kept ?? (entry?.left === 0 ? 'spent' : 'armed'),
      idleRelease: releases.get(idle) ?? null,
    };
  }

  /** Of what was not synced the card keeps what `survives` says. */
  powerCut(survives: (deed: number) => boolean): void {
    this.#life++;
    for (const [at, deed] of this.#unsynced.entries()) if (survives(at)) deed(this.#kept);
    this.#unsynced = [];
    this.#seen = copyOf(this.#kept);
    this.#files = new Map();
    this.#staged = new Map();
  }

  /** The card loses a byte of the root that runs; what guards it has nothing start that slot any more, if there is another that was kept. */
  rot(at: number): void {
    const { roots, entries } = this.#kept;
    const root = new Uint8Array(this.root);
    root[at] = (root[at] ?? 0) ^ 1;
    roots.set(this.running, root);
    if (entries.get(other(this.running))?.left === null)
      entries.set(this.running, { left: 0, version: entries.get(this.running)?.version ?? 1 });
  }

  /** The loader: the highest version that has tries left, and it counts before it starts anything. */
  boot(): Slot {
    const candidates = [...this.#kept.entries].sort(([, a], [, b]) => b.version - a.version);
    const [slot, entry] = candidates.find(([, { left }]) => left !== 0) ?? candidates[0] ?? refuse('internal', 'nothing to start');
    if (entry.left !== null && entry.left > 0) this.#kept.entries.set(slot, { ...entry, left: entry.left - 1 });
    this.running = slot;
    this.#seen = copyOf(this.#kept);
    return slot;
  }

  perform(step: SlotsStep, answer: (event: SlotsEvent | SlotsContentEvent) => void): void {
    const life = this.#life;
    this.#options.after(1, () => {
      if (life !== this.#life) return;
      const event = this.#tried(step);
      if (event !== null && life === this.#life) answer(event);
    });
  }

  #tried(step: SlotsStep): SlotsEvent | SlotsContentEvent | null {
    try {
      return this.#perform(step);
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (step.kind === 'gather' || step.kind === 'write' || step.kind === 'seal') return { kind: 'files-refused', step, error };
      return { kind: 'slots-refused', step: step.kind, error };
    }
  }

  /** Everything that changes the card goes through here. */
  #do(deed: (plate: Plate) => void): void {
    this.#strike();
    deed(this.#seen);
    this.#unsynced.push(deed);
  }

  #sync(): void {
    this.#strike();
    for (const deed of this.#unsynced) deed(this.#kept);
    this.#unsynced = [];
  }

  #strike(): void {
    this.deeds++;
    if (this.deeds === this.cutAt) {
      this.cut();
      refuse('storage-broken', 'the power is gone');
    }
  }

  #perform(step: SlotsStep): SlotsEvent | SlotsContentEvent | null {
    const idle = other(this.running);
    switch (step.kind) {
      case 'survey-slots':
        return { kind: 'slots-surveyed', state: this.state };
      case 'receive': {
        const files = this.#isRuntime ? runtimeFiles(step.entries) : imageFiles(step.entries);
        this.#files = new Map(files.map(({ path, bytes, hash }) => [hex(hash), { path, bytes, hash }]));
        this.#unsealed = new Set(this.#files.keys());
        this.#do(({ entries, releases }) => {
          entries.delete(idle);
          releases.delete(idle);
        });
        this.#sync();
        return { kind: 'checked', missing: files.map(({ hash, executable }) => ({ hash, executable })) };
      }
      case 'gather':
        return { kind: 'gathered', lacks: this.#gather(step.files) };
      case 'write':
        this.#put(step.file, step.bytes, step.offset);
        return { kind: 'written', file: step.file, offset: step.offset };
      case 'seal':
        return this.#seal(step.file);
      case 'arm':
        return this.#arm(step.release);
      case 'keep':
        this.#do(({ entries }) => void entries.set(this.running, { left: null, version: entries.get(this.running)?.version ?? 1 }));
        this.#sync();
        return { kind: 'slot-kept' };
      case 'leave':
        this.#do(({ entries }) => void entries.set(this.running, { left: 0, version: entries.get(this.running)?.version ?? 1 }));
        this.#sync();
        return { kind: 'slot-left' };
      case 'restart':
        this.#options.restart();
        return null;
    }
  }

  #put(file: FileRef, bytes: Bytes, offset: number): void {
    const key = hex(file.hash);
    const idle = other(this.running);
    const path = this.#files.get(key)?.path;
    if (path === this.#main) this.#do(({ roots }) => void roots.set(idle, putInto(roots.get(idle) ?? NONE, bytes, offset)));
    else if (path !== undefined) this.#staged.set(key, putInto(this.#staged.get(key) ?? NONE, bytes, offset));
  }

  #lies({ hash }: FileRef): Bytes {
    const key = hex(hash);
    const { path, bytes } = this.#files.get(key) ?? refuse('internal', 'a file that nobody expects');
    const held = path === this.#main ? this.#kept.roots.get(other(this.running)) : this.#staged.get(key);
    return (held ?? NONE).subarray(0, bytes);
  }

  #seal(file: FileRef): SlotsContentEvent {
    this.#sync();
    if (!equal(this.#options.crypto.sha256(this.#lies(file)), file.hash)) refuse('storage-broken', 'not what was written');
    this.#unsealed.delete(hex(file.hash));
    return { kind: 'file-sealed', file };
  }

  #gather(files: Jigsaw[]): Place[] {
    const { sha256 } = this.#options.crypto;
    const here = new Map(chunksOf(this.root, gearFrom(this.#options.crypto)).map((piece) => [hex(sha256(piece)), piece]));
    return files.flatMap(({ file, pieces }) =>
      [...pieces].flatMap(({ offset, chunk: [hash, bytes] }) => {
        if (equal(sha256(this.#lies(file).subarray(offset, offset + bytes)), hash)) return [];
        const found = here.get(hex(hash));
        if (found === undefined) return [{ file, offset }];
        this.#put(file, found, offset);
        return [];
      }),
    );
  }

  #arm(release: Bytes): SlotsEvent {
    if (this.#unsealed.size > 0 || this.#files.size === 0) refuse('missing-content', 'the idle slot is not whole');
    const idle = other(this.running);
    const files = new Map(
      [...this.#files].flatMap(([key, { path }]) => (path === this.#main ? [] : [[path, this.#staged.get(key) ?? NONE]])),
    );
    this.#do(({ folders }) => void folders.set(idle, new Map()));
    for (const [path, bytes] of files) this.#do(({ folders }) => void folders.get(idle)?.set(path, bytes));
    this.#do(({ releases }) => void releases.set(idle, hex(release)));
    this.#sync();
    this.#do(({ entries }) => {
      const version = Math.max(0, ...[...entries.values()].map((entry) => entry.version)) + 1;
      entries.set(idle, { left: TRIES, version });
    });
    this.#sync();
    return { kind: 'armed', release };
  }

  /** A piece of either slot, as it is seen; null: it is not there. */
  piece({ file, offset, chunk: [hash, length] }: NeighbourPiece): Bytes | null {
    const { roots, folders } = this.#seen;
    const expected = this.#files.has(hex(file.hash)) ? [this.#received(file)] : null;
    const files = expected ?? [...roots.values(), ...[...folders.values()].flatMap((folder) => [...folder.values()])];
    for (const held of files) {
      const piece = held.slice(offset, offset + length);
      if (piece.length === length && equal(this.#options.crypto.sha256(piece), hash)) return piece;
    }
    return null;
  }

  /** What came of a file so far. */
  #received({ hash }: FileRef): Bytes {
    const key = hex(hash);
    const isMain = this.#files.get(key)?.path === this.#main;
    return (isMain ? this.#seen.roots.get(other(this.running)) : this.#staged.get(key)) ?? NONE;
  }

  read(piece: NeighbourPiece): Promise<Bytes | null> {
    return Promise.resolve(this.piece(piece));
  }

  /** What lies in the slot that runs, for who judges whether it is whole. */
  get system(): { release: string | null; root: Bytes; files: ReadonlyMap<string, Bytes> } {
    const { releases, folders } = this.#kept;
    return { release: releases.get(this.running) ?? null, root: this.root, files: folders.get(this.running) ?? new Map() };
  }
}

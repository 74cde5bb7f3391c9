/**
 * An SD card under the board's store. Flash is erased in blocks of megabytes, so a small synced write costs a whole one
 * (LWN 428584, "Optimizing Linux with cheap flash drives"; Linaro's FlashCardSurvey). The controller levels wear over the
 * whole card; when its erases are used up it refuses to write and can still be read, as cards that end well do.
 *
 * The store commits atomically (LMDB: pages, sync, then the meta page, sync), so a power cut loses nothing that was
 * synced. A card that `lies` answers a sync before it has done it: of the commits of the last seconds before a cut the
 * newest may be gone, never one from the middle, since each commit's pages hang on the meta page of its own.
 */
import type { CardSpec } from '../scenario/scenario.ts';
import { Causes } from '../world/causes.ts';
import type { Chance } from '../world/chance.ts';

const MIB = 1024 * 1024;

/** Random writes of application class A1: at least 500 a second (SD Association, Application Performance Class). */
const SYNC_MS = 2;
const SYNCS_PER_COMMIT = 2;
/** Speed class 10: at least 10 MB/s in a row. */
const BYTES_PER_MS = 10_000;
/** How long dirty pages wait before the kernel writes them out (vm.dirty_expire_centisecs = 3000). */
const FLUSH_EVERY_MS = 30_000;
/** How long a card that lies keeps in its own memory what it has acknowledged. */
export const LIES_FOR_MS = 5000;
/** More commits than this are never lost to one cut; a store keeps the undo of so many. */
export const FORGETS_MOST = 8;

export interface Written {
  refused: 'full' | 'worn' | null;
  /** Until it is answered. */
  ms: number;
}

export class Card {
  readonly #spec: CardSpec;
  readonly #capacityBytes: number;
  readonly #erasesMost: number;
  #usedBytes: number;
  #erases = 0;
  readonly #stuffed = new Causes();
  readonly #slower = new Causes();
  /** Writes that it did not take. */
  refusals = 0;
  /** Moments of the newest commits, oldest first; kept only for a card that lies. */
  readonly #recent: number[] = [];

  /** Told once, when the last erase is used up. */
  readonly #worn: () => void;

  constructor(spec: CardSpec, worn: () => void = () => {}) {
    this.#spec = spec;
    this.#worn = worn;
    this.#capacityBytes = spec.mib * MIB;
    this.#erasesMost = Math.max(1, Math.floor(this.#capacityBytes / spec.eraseBlockBytes)) * spec.endurance;
    this.#usedBytes = Math.round((this.#capacityBytes * spec.usedPermille) / 1000);
  }

  /**
   * One commit of the store. `growsBytes`: by how much more (or less) is kept afterwards; what only overwrites or
   * deletes still works on a full card, since LMDB writes into pages that it has freed before.
   */
  commit(atMs: number, bytes: number, growsBytes: number): Written {
    const refused = this.#refuses(growsBytes);
    if (refused !== null) return { refused, ms: SYNC_MS + this.#slowerMs };
    this.#usedBytes = Math.max(0, this.#usedBytes + growsBytes);
    // The meta page lies in a block of its own.
    this.#erase(this.#blocks(bytes) + 1);
    if (this.#spec.lies) {
      this.#recent.push(atMs);
      if (this.#recent.length > FORGETS_MOST) this.#recent.shift();
    }
    return { refused: null, ms: SYNCS_PER_COMMIT * SYNC_MS + Math.ceil(bytes / BYTES_PER_MS) + this.#slowerMs };
  }

  /** A file of this size is put on the card, or with a negative number taken away. */
  file(bytes: number): Written {
    const refused = this.#refuses(bytes);
    if (refused !== null) return { refused, ms: SYNC_MS + this.#slowerMs };
    this.#usedBytes = Math.max(0, this.#usedBytes + bytes);
    if (bytes > 0) this.#erase(this.#blocks(bytes));
    return { refused: null, ms: SYNC_MS + Math.ceil(Math.max(0, bytes) / BYTES_PER_MS) + this.#slowerMs };
  }

  /** What instances wrote over themselves during `overMs`, as the kernel flushes it: at least a block each time. False: the card refuses. */
  stream(bytes: number, overMs: number): boolean {
    if (this.wornOut) return false;
    if (bytes > 0) this.#erase(Math.max(bytes / this.#spec.eraseBlockBytes, overMs / FLUSH_EVERY_MS));
    return true;
  }

  /** Stuffed to the last byte by something else, until what it returns is called. */
  stuff(): () => void {
    return this.#stuffed.begin(0);
  }

  /** Each answer takes so much longer, until what it returns is called. */
  slow(byMs: number): () => void {
    return this.#slower.begin(byMs);
  }

  get isStuffed(): boolean {
    return this.#stuffed.worst !== null;
  }

  get #slowerMs(): number {
    return this.#slower.worst ?? 0;
  }

  /** The power goes. How many of the newest commits are gone: at most `FORGETS_MOST`, and 0 unless the card lies. */
  cut(atMs: number, chance: Pick<Chance, 'below'>): number {
    const unsafe = this.#recent.filter((moment) => atMs - moment <= LIES_FOR_MS).length;
    this.#recent.length = 0;
    return unsafe === 0 ? 0 : chance.below(unsafe + 1);
  }

  /** As a second card with the same content: as full, but new. */
  clone(worn: () => void = () => {}): Card {
    const card = new Card(this.#spec, worn);
    card.#usedBytes = this.#usedBytes;
    return card;
  }

  get wornOut(): boolean {
    return this.#erases >= this.#erasesMost;
  }

  get freeBytes(): number {
    return this.isStuffed ? 0 : Math.max(0, this.#capacityBytes - this.#usedBytes);
  }

  get usedPermille(): number {
    return this.isStuffed ? 1000 : Math.min(1000, Math.floor((this.#usedBytes * 1000) / this.#capacityBytes));
  }

  get wornPermille(): number {
    return Math.min(1000, Math.floor((this.#erases * 1000) / this.#erasesMost));
  }

  #erase(blocks: number): void {
    const wasWorn = this.wornOut;
    this.#erases += blocks;
    if (!wasWorn && this.wornOut) this.#worn();
  }

  #blocks(bytes: number): number {
    return Math.max(1, Math.ceil(bytes / this.#spec.eraseBlockBytes));
  }

  #refuses(growsBytes: number): Written['refused'] {
    const isFull = growsBytes > 0 && growsBytes > this.freeBytes;
    if (this.wornOut || isFull) this.refusals++;
    return this.wornOut ? 'worn' : isFull ? 'full' : null;
  }
}

/** Which files change by themselves: `count` different ones, or all when there are fewer. */
export const rotten = (files: readonly string[], count: number, chance: Pick<Chance, 'below'>): string[] => {
  const left = [...files];
  const taken: string[] = [];
  while (taken.length < count && left.length > 0) taken.push(...left.splice(chance.below(left.length), 1));
  return taken;
};

/**
 * Systems of boards, for a virtual fleet: small, but laid out as those of an image, and cut as all releases are. The second half of
 * each root is new. What is bad of one shows when it is started.
 */
import { type Bytes, concat, equal, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { chunksOf, gearFrom } from '../../runtime/protocol/chunk.ts';
import { ROOT_FILE } from '../../runtime/protocol/image.ts';
import { encodeAs, payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import type { Hardware } from '../hardware/profiles.ts';
import type { Publishing, Release } from './releases.ts';

/** `no-boot`: its kernel gives up; `hang`: it stands still soon after its runtime began; `no-home`: nothing passes on its network. */
export const SYSTEM_ILLS = ['no-boot', 'hang', 'no-home'] as const;
export type SystemIll = (typeof SYSTEM_ILLS)[number];

export interface SystemRelease extends Omit<Release, 'behaviour'> {
  root: Bytes;
  /** Path → what lies beside the root. */
  files: ReadonlyMap<string, Bytes>;
  ill: SystemIll | null;
}

/** What a slot holds, as it lies there. */
export interface Installed {
  release: string | null;
  root: Bytes;
  files: ReadonlyMap<string, Bytes>;
}

const HALF_BYTES = 24 * 1024;
const LINUX_BYTES = 6000;

type Kind = Pick<Hardware, 'image' | 'arch'>;

/** Number of what was written to cards. */
const FIRST = 1;

const rootOf = ({ chance }: Publishing, image: string, sequence: number): Bytes => {
  const half = (name: string): Bytes => chance.fork(`system of ${image}, ${name}`).bytes(HALF_BYTES);
  return concat(half('common'), half(`number ${sequence}`));
};

const build = (by: Publishing, { image, arch }: Kind, sequence: number, ill: SystemIll | null): SystemRelease => {
  const { sha256 } = by.crypto;
  const gear = gearFrom(by.crypto);
  const root = rootOf(by, image, sequence);
  const files = new Map([
    ['boot/first', by.chance.fork(`first root of ${image}`).bytes(LINUX_BYTES)],
    ['boot/linux', by.chance.fork(`kernel of ${image}, number ${sequence}`).bytes(LINUX_BYTES)],
    ['boot/words', utf8('quiet\n')],
  ]);
  const content = new Map<string, Bytes>();
  const put = (piece: Bytes): Bytes => {
    const hash = sha256(piece);
    content.set(hex(hash), piece);
    return hash;
  };
  const fileOf = (path: string, bytes: Bytes): Entry => {
    const chunks = chunksOf(bytes, gear).map((piece): ChunkRef => [put(piece), piece.length]);
    return { kind: 'file', path, executable: false, bytes: bytes.length, hash: sha256(bytes), chunks };
  };
  const entries: Entry[] = [
    { kind: 'dir', path: 'boot' },
    ...[...files, [ROOT_FILE, root] as const].map(([path, bytes]) => fileOf(path, bytes)),
  ];
  const page = put(encodeAs(pageSchema, { v: 1, entries }, 'page'));
  const manifest: Manifest = {
    ...{ v: 1, publisher: by.publisher, recipe: `image-${image}`, label: `system ${sequence}`, sequence, arch, pages: [page] },
    ...{ entries: entries.length, bytes: [root, ...files.values()].reduce((sum, { length }) => sum + length, 0) },
    ...{ args: [`/${ROOT_FILE}`], env: {}, engine: 'none', parameters: {}, promises: [], demands: 'dev' },
    limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 1 },
    image: { board: image },
  };
  const hash = sha256(payloadOf(manifestNoun, manifest));
  return { hash, document: seal(manifestNoun, manifest, by.key), manifest, content, root, files, ill };
};

/** All that the publisher has brought, and what was written to cards before. */
export class Systems {
  readonly #by: Publishing;
  /** Release → it. */
  readonly #held = new Map<string, SystemRelease>();
  readonly #newest = new Map<string, number>();

  constructor(by: Publishing) {
    this.#by = by;
  }

  first(image: string): Bytes {
    return rootOf(this.#by, image, FIRST);
  }

  bring(kind: Kind, ill: SystemIll | null): SystemRelease {
    const sequence = (this.#newest.get(kind.image) ?? FIRST) + 1;
    this.#newest.set(kind.image, sequence);
    const made = build(this.#by, kind, sequence, ill);
    this.#held.set(hex(made.hash), made);
    return made;
  }

  illOf(release: string | null): SystemIll | null {
    return release === null ? null : (this.#held.get(release)?.ill ?? null);
  }

  sequenceOf(release: string | null): number {
    return release === null ? FIRST : (this.#held.get(release)?.manifest.sequence ?? 0);
  }

  /** All of what its publisher made, to the byte; behind a root there may be more of what lay there before. */
  isWhole(image: string, { release, root, files }: Installed): boolean {
    if (release === null) return equal(root, this.first(image));
    const made = this.#held.get(release);
    if (made === undefined || files.size !== made.files.size) return false;
    const isHere = (path: string, bytes: Bytes): boolean => {
      const lies = files.get(path);
      return lies !== undefined && equal(lies, bytes);
    };
    return equal(root.subarray(0, made.root.length), made.root) && [...made.files].every(([path, bytes]) => isHere(path, bytes));
  }
}

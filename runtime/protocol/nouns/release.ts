/**
 * A release: an immutable, content-addressed build of a recipe. The signed manifest lists the hashes of index pages;
 * a page lists entries; a file's entry lists its chunks. The release's identity is the hash of the manifest's payload.
 */
import * as v from 'valibot';
import type { Bytes } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import { hash, name, positive, publisherId, record, text, tier, uint, uintUpTo, version1 } from '../schema.ts';
import { devicesSchema, networkSchema, port } from './reach.ts';

const args = v.pipe(v.array(text), v.minLength(1), v.maxLength(64));

/** No floating-point number has an encoding: one is a text. */
const decimal = v.pipe(
  v.string(),
  v.regex(/^-?[0-9]{1,15}([.][0-9]{1,9})?$/, 'expected a decimal number of at most 15 digits before the point'),
);

export const probe = v.variant('kind', [
  v.strictObject({ kind: v.literal('http'), port, path: text }),
  v.strictObject({ kind: v.literal('tcp'), port }),
  v.strictObject({ kind: v.literal('exec'), args }),
  /** A file that the instance goes on writing; links are not followed. */
  v.strictObject({ kind: v.literal('file'), path: text, maxAgeMs: positive }),
  /** The first number in a file lies between the two. */
  v.strictObject({ kind: v.literal('value'), path: text, min: decimal, max: decimal }),
  /** The first number that a program says does. */
  v.strictObject({ kind: v.literal('reading'), args, min: decimal, max: decimal }),
]);

export const promise = v.strictObject({
  name,
  probe,
  intervalMs: v.pipe(positive, v.minValue(100)),
  timeoutMs: positive,
  /** After a start, how long it may fail before it counts as broken. */
  graceMs: uint,
});
export type PromiseSpec = v.InferOutput<typeof promise>;

const ioKibPerS = v.pipe(positive, v.minValue(LIMITS.ioMinPerS), v.maxValue(LIMITS.ioKibPerS));

export const limits = v.strictObject({
  memoryMib: positive,
  cpuMillis: positive,
  pids: positive,
  tmpMib: uint,
  /** Of what it says, how much is kept. */
  logKib: v.optional(v.pipe(positive, v.minValue(16), v.maxValue(LIMITS.logMaxKib))),
  /** `/data` has an end: only a board that can hold it to that is given the instance. */
  dataMib: v.optional(v.pipe(positive, v.maxValue(LIMITS.dataMaxMib))),
  dataInodes: v.optional(v.pipe(positive, v.minValue(16), v.maxValue(LIMITS.dataInodes))),
  /** Of each of its processes. */
  openFiles: v.optional(v.pipe(positive, v.minValue(16), v.maxValue(LIMITS.openFiles))),
  /** Of the card, all of its processes together: KiB that are read or written in a second, and operations of each of the two. */
  readKibPerS: v.optional(ioKibPerS),
  writeKibPerS: v.optional(ioKibPerS),
  ioOpsPerS: v.optional(v.pipe(positive, v.minValue(LIMITS.ioMinPerS), v.maxValue(LIMITS.ioOpsPerS))),
});

/** A JSON Schema of the kind that docs/spec/instances.md describes, as JSON. */
const schemaText = v.pipe(v.string(), v.maxBytes(LIMITS.schemaBytes, `expected a JSON Schema of at most ${LIMITS.schemaBytes} bytes`));
export const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
export const stop = v.strictObject({ signal: v.picklist(STOP_SIGNALS), graceMs: uintUpTo(LIMITS.stopGraceMs) });
export const reload = v.picklist(['SIGHUP', 'SIGUSR1', 'SIGUSR2']);
export const holdMs = uintUpTo(LIMITS.holdMs);

/** What an instance that serves others beside its own tenant takes from each of them, and tells each. */
export const shared = v.strictObject({
  /** It serves so many at most. */
  most: v.pipe(positive, v.maxValue(LIMITS.shares)),
  parameters: v.pipe(record(name, text), v.maxEntries(LIMITS.parameters)),
  parameterSchema: v.optional(schemaText),
  connectionSchema: v.optional(schemaText),
});

/** A program of the release that ends by itself: exit status 0 within so long, or it has failed. `args` as those of the release. */
export const hookTerms = v.strictObject({ args, withinMs: v.pipe(positive, v.maxValue(LIMITS.hookMs)) });
export type Hook = v.InferOutput<typeof hookTerms>;
/** As they come around an update. */
export const HOOKS = ['before', 'after'] as const;
export type HookName = (typeof HOOKS)[number];

/**
 * `snapshot`: should it not do, whatever takes its place again finds `/data` as it left it. Then there may be hooks: `before` runs
 * when another release is about to take its place, `after` before it begins on what another release has left.
 */
export const dataTerms = v.strictObject({
  onUpdate: v.picklist(['keep', 'snapshot']),
  before: v.optional(hookTerms),
  after: v.optional(hookTerms),
});

export const manifestSchema = v.strictObject({
  v: version1,
  publisher: publisherId,
  recipe: name,
  /** For people; order is `sequence`. */
  label: text,
  sequence: positive,
  arch: v.picklist(['any', 'x64', 'arm64']),
  pages: v.pipe(v.array(hash), v.maxLength(LIMITS.pages)),
  /** Of what it is made of, as CycloneDX; that lies beside the release and does not travel to boards. */
  sbom: v.optional(hash),
  entries: uintUpTo(LIMITS.entries),
  bytes: uintUpTo(LIMITS.releaseBytes),
  /** The program in the root; `{{name}}` in an argument is replaced by a parameter. */
  args,
  env: record(v.string(), text),
  engine: v.picklist(['none', 'node']),
  /** Parameters a request may set, with their defaults; passed as `LICHEN_<NAME>`. */
  parameters: v.pipe(record(name, text), v.maxEntries(LIMITS.parameters)),
  /** What parameters have to be, and what the instance may publish of how it is reached; without the latter, nothing. */
  parameterSchema: v.optional(schemaText),
  connectionSchema: v.optional(schemaText),
  /** It may be shared; then it also says how it is told of shares (`reload`). */
  shares: v.optional(shared),
  /** How a running instance is told that its parameters are others; without it, it is restarted. */
  reload: v.optional(reload),
  /** How it is asked to end; without it, by SIGTERM, and killed three seconds later. */
  stop: v.optional(stop),
  /** How long it may hold off being replaced by another release, at most. */
  holdMs: v.optional(holdMs),
  /** What becomes of `/data` at an update; without it, it stays as this release leaves it. */
  data: v.optional(dataTerms),
  limits,
  promises: v.pipe(v.array(promise), v.maxLength(LIMITS.promises)),
  /** The least tier it may run on. */
  demands: tier,
  /** Without it nothing outside is reached, and nobody but the board reaches it. */
  network: v.optional(networkSchema),
  devices: v.optional(devicesSchema),
  /** It is no program but the system of boards of that kind, or of that their runtime alone, and goes into a slot (`image.ts`). */
  image: v.optional(v.strictObject({ board: name, part: v.optional(v.literal('runtime')) })),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;
export const manifestNoun: Noun<Manifest> = noun('manifest', LIMITS.manifestBytes, manifestSchema);

const path = v.pipe(v.string(), v.minBytes(1), v.maxBytes(LIMITS.pathBytes));
/** Hash and length of one chunk. */
const chunk = v.strictTuple([hash, v.pipe(positive, v.maxValue(LIMITS.chunkMaxBytes))]);
export type ChunkRef = v.InferOutput<typeof chunk>;

/** setuid bits, devices, hard links and owners have no word here. `more` carries on the chunks of the file before it. */
const entryOf = <Chunk>(chunks: v.GenericSchema<unknown, Chunk[]>) =>
  v.variant('kind', [
    v.strictObject({ kind: v.literal('dir'), path }),
    v.strictObject({ kind: v.literal('link'), path, target: path }),
    v.strictObject({ kind: v.literal('file'), path, executable: v.boolean(), bytes: uint, hash, chunks }),
    v.strictObject({ kind: v.literal('more'), path, chunks }),
  ]);
export const entry = entryOf(v.array(chunk));
export type EntryOf<Chunk> = v.InferOutput<ReturnType<typeof entryOf<Chunk>>>;
export type Entry = EntryOf<ChunkRef>;

/** A file as content: the same bytes, executable or not, are two. */
export interface FileRef {
  hash: Bytes;
  executable: boolean;
}

/** A stretch of a file begins there. */
export interface Place {
  file: FileRef;
  offset: number;
}

/** One chunk of a file, and where it is said to lie in a file that is held. */
export interface Piece {
  offset: number;
  chunk: ChunkRef;
  from: Place | null;
}

/** A file with all its pieces, in order. */
export interface Jigsaw {
  file: FileRef;
  bytes: number;
  pieces: Iterable<Piece>;
}

export const pageSchema = v.strictObject({ v: version1, entries: v.array(entry) });
export type Page = v.InferOutput<typeof pageSchema>;

/** A page of whose chunks only that is kept which `note` makes of each while it is read. */
export const notedPage = <Chunk>(note: (ref: ChunkRef) => Chunk) =>
  v.strictObject({ v: version1, entries: v.array(entryOf(v.array(v.pipe(chunk, v.transform(note))))) });

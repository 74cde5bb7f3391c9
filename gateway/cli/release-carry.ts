/** `lichen release export` and `import`: what boards and their gateway say to each other, by a folder that is carried. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Frame, StickFolder } from '../../runtime/adapters/stick-folder.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { open1, openMany, typOf } from '../../runtime/protocol/cose.ts';
import { asLichenError, ERRORS, type ErrorCode, type LichenError, refuse, tell } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { desiredNoun, leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import { type Carried, carried, chunk, usageBatch, want } from '../../runtime/protocol/nouns/messages.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { requestNoun } from '../../runtime/protocol/nouns/request.ts';
import { publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { contentIn } from '../../runtime/protocol/packing.ts';
import { openPage } from '../../runtime/protocol/pages.ts';
import { plural } from '../../runtime/protocol/printable.ts';
import { gatewayId } from '../../runtime/protocol/schema.ts';
import { isBoardName, isWord } from '../../runtime/protocol/stick.ts';
import { type ApiFlags, type Client, openClient } from './client.ts';
import { openTrust } from './documents.ts';
import { brief, emit, type JsonFlag, say } from './output.ts';
import { readPiece, readRelease } from './release-push.ts';
import { addApi, addToken, addVerb } from './verbs.ts';
import { word } from './words.ts';

const PIECE_MAX = Math.max(LIMITS.pageBytes, LIMITS.chunkMaxBytes);
/** In which nothing more came: what follows from what was brought is decided by then, at other gateways too. */
const QUIET_POLLS = 2;
const POLLS_MOST = 30;
/** Asked for at once; the answer holds about one packet. */
const ASKED_AT_ONCE = 16;

interface Session {
  say(...frames: Frame[]): Promise<Frame[]>;
}

const openSession = (client: Client): Session => {
  let session = '';
  return {
    say: async (...frames) => {
      const body: Bytes = encodeAs(carried, { v: 1, session, frames }, 'carried');
      const answer: Carried = decodeAs(carried, await client.askBytes('carry', { body }), 'carried');
      session = answer.session;
      return answer.frames.flatMap(({ topic, payload }) => (isWord(topic, 'down') ? [{ topic, payload }] : []));
    },
  };
};

/** Of what the gateway said, the newest word of each kind that is carried. */
interface Words {
  now: Bytes | null;
  desired: Bytes | null;
  ack: Bytes | null;
}

const hearAll = async (session: Session, words: Words, first: Frame[]): Promise<void> => {
  const hear = (frames: Frame[]): void => {
    for (const { topic, payload } of frames) if (topic === 'now' || topic === 'desired' || topic === 'ack') words[topic] = payload;
  };
  hear(first);
  for (let quiet = 0, polls = 0; quiet < QUIET_POLLS && polls < POLLS_MOST; polls++) {
    const frames = await session.say();
    hear(frames);
    quiet = frames.length === 0 ? quiet + 1 : 0;
  }
};

const payloadHash = (bytes: Bytes): string => {
  try {
    const typ = typOf(bytes) ?? '';
    const { payload } = bytes[0] === 0xd2 ? open1(nodeCrypto, typ, bytes) : openMany(nodeCrypto, typ, bytes, 2 * LIMITS.rootKeys);
    return hex(nodeCrypto.sha256(payload));
  } catch {
    return '';
  }
};

/** What lies in a folder that others had in hands may be torn, or something else. */
const isCalled = (hash: string, bytes: Bytes): boolean =>
  contentIn(nodeCrypto, unpackZstd, fromHex(hash), bytes, PIECE_MAX) !== null || payloadHash(bytes) === hash;

const heldIn = (folder: StickFolder, hash: string): Bytes | null => {
  const bytes = folder.content(hash);
  return bytes !== null && isCalled(hash, bytes) ? bytes : null;
};

/** Puts these into the folder, as they travel, and gives them back by their hash. Those that the gateway has not are left out. */
const fetchAll = async (session: Session, folder: StickFolder, hashes: string[]): Promise<Map<string, Bytes>> => {
  const held = new Map<string, Bytes>();
  const lacking = [...new Set(hashes)].filter((hash) => {
    const bytes = heldIn(folder, hash);
    if (bytes !== null) held.set(hash, bytes);
    return bytes === null;
  });
  for (let at = 0; at < lacking.length; at += ASKED_AT_ONCE) {
    const asked = new Set(lacking.slice(at, at + ASKED_AT_ONCE));
    let frames = await session.say({ topic: 'want', payload: encodeAs(want, { v: 1, hashes: [...asked].map(fromHex) }, 'want') });
    for (let polls = 0; asked.size > 0 && polls < POLLS_MOST; polls++) {
      for (const { topic, payload } of frames) {
        if (topic !== 'chunk') continue;
        const { hash, bytes } = decodeAs(chunk, payload, 'chunk');
        if (!asked.delete(hex(hash)) || bytes === null || !isCalled(hex(hash), bytes)) continue;
        folder.putContent(hex(hash), bytes);
        held.set(hex(hash), bytes);
      }
      if (asked.size > 0) frames = await session.say();
    }
  }
  return held;
};

const plainOf = (hash: string, bytes: Bytes): Bytes =>
  contentIn(nodeCrypto, unpackZstd, fromHex(hash), bytes, PIECE_MAX) ??
  refuse('bad-signature', `piece ${hash} in the folder is not what it is called`);

interface Fetched {
  /** Which came, or lay there. */
  pieces: number;
  /** Which the gateway did not give. */
  lacks: number;
}

/** Everything that the assignment stands on, from its requests to the last chunk. */
const fetchFor = async (session: Session, folder: StickFolder, desired: Bytes): Promise<Fetched> => {
  const { leases } = unseal(nodeCrypto, desiredNoun, desired).value;
  const documents = new Map<string, Bytes>();
  const wanted = new Set<string>();
  const fetch = async (hashes: string[]): Promise<void> => {
    for (const hash of hashes) wanted.add(hash);
    for (const [hash, bytes] of await fetchAll(session, folder, hashes)) documents.set(hash, bytes);
  };
  const opened = leases.map(({ lease }) => unseal(nodeCrypto, leaseNoun, lease).value);
  await fetch([
    ...leases.map(({ request }) => hex(request)),
    ...opened.flatMap(({ release, publisher, voucher }) => [hex(release), hex(publisher), hex(voucher)]),
  ]);
  const fallbacks = leases.flatMap(({ request }) => {
    const document = documents.get(hex(request));
    return document === undefined ? [] : (unseal(nodeCrypto, requestNoun, document).value.fallback?.release ?? []);
  });
  await fetch(fallbacks.map(hex));
  // Each version of a publisher's document names the one before.
  for (let next = [...new Set(opened.map(({ publisher }) => hex(publisher)))]; next.length > 0; ) {
    await fetch(next);
    next = next.flatMap((hash) => {
      const document = documents.get(hash);
      const previous = document === undefined ? null : openTrust(nodeCrypto, publisherNoun, document).value.previous;
      return previous === null || documents.has(hex(previous)) ? [] : [hex(previous)];
    });
  }
  let [pieces, lacks] = [documents.size, wanted.size - documents.size];
  const releases = new Set([...opened.map(({ release }) => hex(release)), ...fallbacks.map(hex)]);
  for (const release of releases) {
    const document = documents.get(release);
    if (document === undefined) continue;
    const { pages } = unseal(nodeCrypto, manifestNoun, document).value;
    const held = await fetchAll(session, folder, pages.map(hex));
    lacks += new Set(pages.map(hex)).size - held.size;
    const chunks = [...held].flatMap(([hash, bytes]) =>
      openPage(plainOf(hash, bytes)).flatMap((entry) => ('chunks' in entry ? entry.chunks.map(([chunkHash]) => hex(chunkHash)) : [])),
    );
    const counted = await countFetched(session, folder, chunks);
    pieces += held.size + counted.pieces;
    lacks += counted.lacks;
  }
  return { pieces, lacks };
};

/** Chunks are not kept in memory: a release may be larger than that. */
const countFetched = async (session: Session, folder: StickFolder, chunks: string[]): Promise<Fetched> => {
  const all = [...new Set(chunks)];
  let pieces = 0;
  for (let at = 0; at < all.length; at += LIMITS.wantHashes)
    pieces += (await fetchAll(session, folder, all.slice(at, at + LIMITS.wantHashes))).size;
  return { pieces, lacks: all.length - pieces };
};

interface Brought {
  board: string;
  /** Usage records that were brought in, and how many leases it is assigned now. */
  usage: number;
  leases: number;
  /** Documents, pages and chunks that the assignment stands on, as far as they are in the folder now. */
  pieces: number;
  /** Those that the gateway has not: the board cannot begin what stands on them. */
  lacks: number;
  /** What of the folder was passed over. */
  problems: string[];
  refused: { code: ErrorCode; why: string; next: string } | null;
}

const refusalOf = (error: LichenError): NonNullable<Brought['refused']> => {
  const { code, why, next } = tell(error);
  return { code, why, next };
};

export const importBoard = async (client: Client, folder: StickFolder, board: string): Promise<Brought> => {
  const { frames, problems } = folder.frames(board, 'up');
  const brought: Brought = { board, usage: 0, leases: 0, pieces: 0, lacks: 0, problems, refused: null };
  const hello = frames.find(({ topic }) => topic === 'hello');
  try {
    if (hello === undefined) return refuse('not-found', `there is no hello of board ${board}: the folder was not at the board yet`);
    const session = openSession(client);
    const words: Words = { now: null, desired: null, ack: null };
    const heard = await session.say(hello);
    for (const frame of frames) {
      if (frame.topic !== 'usage' && frame.topic !== 'report' && frame.topic !== 'bring') continue;
      heard.push(...(await session.say(frame)));
      if (frame.topic === 'usage') brought.usage += decodeAs(usageBatch, frame.payload, 'usage').records.length;
    }
    await hearAll(session, words, heard);
    if (words.desired !== null) {
      brought.leases = unseal(nodeCrypto, desiredNoun, words.desired).value.leases.length;
      Object.assign(brought, await fetchFor(session, folder, words.desired));
    }
    await session.say({ topic: 'gone', payload: new Uint8Array() });
    folder.clear(board, 'down');
    let at = 0;
    for (const topic of ['now', 'desired', 'ack'] as const) {
      const payload = words[topic];
      if (payload !== null) folder.write(board, 'down', at++, { topic, payload });
    }
    return brought;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return { ...brought, refused: refusalOf(error) };
  }
};

const broughtText = ({ board, usage, leases, pieces, lacks, problems, refused }: Brought): string =>
  [
    refused === null
      ? `board ${brief(board)}: ${plural(usage, 'usage record')} in; ${plural(leases, 'lease')} with ${plural(pieces, 'piece')} out. Carry it back`
      : `board ${brief(board)}: refused with ${refused.code}: ${refused.why}. ${refused.next}`,
    ...(lacks === 0 ? [] : [`  ${lacks} pieces are not at the gateway: import again when it has them (lichen release list)`]),
    ...problems.map((problem) => `  passed over: ${problem}`),
  ].join('\n');

const bring = async (path: string, flags: ApiFlags & JsonFlag): Promise<void> => {
  const client = openClient(flags);
  const folder = new StickFolder(path);
  if (!folder.isThere) refuse('not-found', `${path} holds no folder of Lichen; \`lichen release export --to ${path}\` prepares it`);
  const { gateway } = await client.ask('status');
  const named = folder.gateway();
  if (named !== null && named !== gateway) refuse('conflict', `${path} is for gateway ${named}, ${client.url} is ${gateway}`);
  const brought: Brought[] = [];
  for (const name of folder.boards()) {
    if (isBoardName(name)) brought.push(await importBoard(client, folder, name));
    else say(`${JSON.stringify(name)} is no board's folder; passed over`);
  }
  emit(flags, brought, () => (brought.length === 0 ? 'No board has said anything there yet.' : brought.map(broughtText).join('\n')));
  const [first] = brought.flatMap(({ refused }) => refused ?? []);
  if (first !== undefined) process.exitCode = ERRORS[first.code].exit;
};

interface ExportFlags extends ApiFlags, JsonFlag {
  to: string;
  gateway?: string;
}

/** The folder of a built release, into the one that is carried; the same content of two releases is there once. */
export const exportRelease = (folder: StickFolder, directory: string): { release: string; recipe: string; pieces: number } => {
  const { hash, recipe, manifest } = readRelease(directory);
  folder.putContent(hash, manifest);
  let pieces = 1;
  const put = (piece: string): Bytes => {
    const bytes = readPiece({ directory }, piece);
    const plain = plainOf(piece, bytes);
    pieces++;
    // What lies there may be torn: exporting again mends it.
    if (heldIn(folder, piece) === null) folder.putContent(piece, bytes);
    return plain;
  };
  const chunks = new Set<string>();
  for (const page of unseal(nodeCrypto, manifestNoun, manifest).value.pages.map(hex))
    for (const entry of openPage(put(page))) if ('chunks' in entry) for (const [piece] of entry.chunks) chunks.add(hex(piece));
  for (const piece of chunks) put(piece);
  return { release: hash, recipe, pieces };
};

const exportTo = async (directories: string[], flags: ExportFlags): Promise<void> => {
  const gateway =
    flags.gateway === undefined ? (await openClient(flags).ask('status')).gateway : word(gatewayId, flags.gateway, '--gateway');
  const folder = new StickFolder(flags.to);
  folder.nameGateway(gateway);
  const releases = directories.map((directory) => exportRelease(folder, directory));
  emit(flags, { to: flags.to, gateway, releases }, () =>
    [
      `${flags.to} is for gateway ${gateway}. Carry it to a board (lichen-runtime --stick ${flags.to}), and back: lichen release import`,
      ...releases.map(({ release, recipe, pieces }) => `${recipe} ${release}: ${plural(pieces, 'piece')}`),
    ].join('\n'),
  );
};

export const addCarried = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'export [folders...]',
      says: 'prepare a folder, such as a stick, that is carried between a gateway and boards without a network; built releases go along',
      examples: ['release export --to /media/stick', 'release export hello-sensor-1 --to /media/stick --gateway ID'],
      gives: { keys: ['to', 'gateway', 'releases'] },
    }),
  )
    .requiredOption('--to <folder>', 'where the stick is')
    .option('--gateway <id>', 'which gateway it is carried to; by default the one that --api leads to')
    .action(exportTo);
  addToken(
    addVerb(noun, {
      usage: 'import <folder>',
      says: 'bring in what boards have written there, usage and status, and write what they are to run; then carry it back',
      examples: ['release import /media/stick --token-file husum/admin.token'],
      gives: { keys: ['board', 'usage', 'leases', 'pieces', 'lacks', 'problems', 'refused'], list: true },
    }),
  ).action(bring);
};

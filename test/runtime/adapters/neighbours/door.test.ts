/** The door to others on a network over real sockets, on the loopback of this machine; and what strangers get from it. */
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectPlain, createServer as createPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { connect, createServer } from 'node:tls';
import { expect, test } from 'vitest';
import { kernelEntropy } from '../../../../runtime/adapters/entropy.ts';
import { openFiles } from '../../../../runtime/adapters/files.ts';
import { NeighboursDoor } from '../../../../runtime/adapters/neighbours/door.ts';
import { readFrom } from '../../../../runtime/adapters/neighbours/giving.ts';
import { type OwnAddress, onLink } from '../../../../runtime/adapters/neighbours/network.ts';
import { hearWord, identityOf, pskOf, sayWord, sharedBy } from '../../../../runtime/adapters/neighbours/secrets.ts';
import { dial, listen } from '../../../../runtime/adapters/neighbours/tls.ts';
import { openSlots } from '../../../../runtime/adapters/slots/slots.ts';
import { systemdBoot } from '../../../../runtime/adapters/slots/systemd-boot.ts';
import type { ReadPiece, Shared } from '../../../../runtime/ports/neighbours.ts';
import type { Slots } from '../../../../runtime/ports/slots.ts';
import { type Bytes, equal, hex } from '../../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../../runtime/protocol/limits.ts';
import { neighboursContract, type Street } from '../../../contract/neighbours.ts';
import { entriesOf, perform, receive } from '../../../contract/receive.ts';
import { testCrypto } from '../../../support/crypto.ts';
import { filesOf } from '../../../support/files-of.ts';
import { makeSlotFiles, underUefi } from '../../../support/slot-files.ts';
import { system } from '../../../support/system.ts';

const LOOPBACK: OwnAddress = { address: '127.0.0.1', cidr: '127.0.0.1/8' };
const GROUP = '239.255.76.67';
/** Longer than anything takes that fails. */
const PATIENCE_MS = 20_000;

/** One that no other test of this machine has. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
const port = await freePort();

const until = async (isSo: () => boolean): Promise<void> => {
  for (const end = performance.now() + PATIENCE_MS; !isSo(); ) {
    if (performance.now() > end) throw new Error('it did not become so');
    await wait(5);
  }
};

const open = (): Street & { board(pieces: readonly Bytes[]): NeighboursDoor } => {
  const doors: NeighboursDoor[] = [];
  return {
    board: (pieces) => {
      const held = new Map(pieces.map((piece) => [hex(testCrypto.sha256(piece)), piece]));
      const read = ({ chunk: [hash] }: { chunk: [Bytes, number] }) => Promise.resolve(held.get(hex(hash)) ?? null);
      const door = new NeighboursDoor({ read, entropy: kernelEntropy, port, own: () => [LOOPBACK], journal: () => undefined });
      doors.push(door);
      return door;
    },
    until,
    settle: () => wait(150),
    close: () => {
      for (const door of doors) door.close();
    },
  };
};

neighboursContract('the door over sockets', open);

const KEY = new Uint8Array(32).fill(7);
const shared: Shared = { release: new Uint8Array(32).fill(1), key: KEY, whole: true };
const other: Shared = { ...shared, key: new Uint8Array(32).fill(8) };
const word = { v: 1 as const, nonce: new Uint8Array(16).fill(3), who: new Uint8Array(8).fill(4), port: 7643, whole: true, asks: true };

test('[delivery-14] a word tells of its release to nobody else, and not one bit of it may change', () => {
  const said = sayWord(KEY, word);
  expect(said.length).toBeLessThanOrEqual(LIMITS.neighbourWordBytes);
  expect(hearWord(said, [other, shared])?.shared).toBe(shared);
  expect(hearWord(said, [other])).toBeNull();
  for (const at of [10, 40, 60, said.length - 1]) {
    const forged = said.with(at, said[at]! ^ 1);
    const heard = (() => {
      try {
        return hearWord(forged, [shared]);
      } catch {
        return null;
      }
    })();
    expect(heard).toBeNull();
  }
});

test('[delivery-14] an identity is another each time, and known to whoever knows the release', () => {
  const [first, second] = [1, 2].map((fill) => identityOf(KEY, new Uint8Array(16).fill(fill)));
  expect(first!.slice(32)).not.toBe(second!.slice(32));
  expect([sharedBy(first!, [other, shared]), sharedBy(first!, [other]), sharedBy('x', [shared])]).toEqual([shared, null, null]);
});

test('[delivery-14] who is in none of the own networks is not on the link', () => {
  const own = [{ address: '192.0.2.7', cidr: '192.0.2.7/24' }];
  expect(['192.0.2.9', '::ffff:192.0.2.200'].map((address) => onLink(address, own))).toEqual([true, true]);
  expect(['192.0.3.9', '127.0.0.1', 'fe80::1', '::1', ''].map((address) => onLink(address, own))).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});

const PSK = pskOf(KEY);
const ended = (socket: { once(event: string, call: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', resolve);
    socket.once('error', resolve);
  });

const serving = async (admit: (address: string) => boolean = () => true) => {
  const arrived: string[] = [];
  const listening = listen({
    ...{ port: 0, admit, failed: () => undefined },
    keyOf: (_socket, identity) => (sharedBy(identity, [shared]) === null ? null : PSK),
    arrived: () => arrived.push('one'),
  });
  return { arrived, listening, at: { host: '127.0.0.1', port: await listening.port } };
};
const why = (at: { host: string; port: number }, identity: string, psk: Bytes): Promise<string | null> =>
  new Promise((resolve) => {
    const socket = dial(at, identity, psk, (said) => {
      // The other end has still to hear of it.
      setTimeout(() => socket.destroy(), 200);
      resolve(said);
    });
  });

test('[delivery-14] a session is opened to whoever knows the release, and to nobody else', async () => {
  const { arrived, listening, at } = await serving();
  const identity = identityOf(KEY, new Uint8Array(16));
  expect(await why(at, identity, PSK)).toBeNull();
  expect(await why(at, identity, new Uint8Array(32))).not.toBeNull();
  expect(await why(at, identityOf(other.key, new Uint8Array(16)), pskOf(other.key))).not.toBeNull();
  const stranger = connect({ ...at, rejectUnauthorized: false });
  await ended(stranger);
  const loud = connectPlain(at, () => loud.write('GET / HTTP/1.0\r\n\r\n'));
  await ended(loud);
  await until(() => arrived.length > 0);
  expect(arrived).toHaveLength(1);
  listening.close();
});

test('[delivery-14] who is not on the link is not answered', async () => {
  const { arrived, listening, at } = await serving(() => false);
  expect(await why(at, identityOf(KEY, new Uint8Array(16)), PSK)).not.toBeNull();
  expect(arrived).toEqual([]);
  listening.close();
});

test('[delivery-14] one that shows a certificate instead of the key is no neighbour', async () => {
  const { certificate, key } = await import('../../../support/tls-stranger.ts').then(({ strangerPem }) => strangerPem());
  const server = createServer({ cert: certificate, key });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const at = { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  expect(await why(at, identityOf(KEY, new Uint8Array(16)), PSK)).not.toBeNull();
  server.close();
});

test('[delivery-12] one that takes connections and says nothing is told after the handshake has taken too long', async () => {
  const silent = createPlain(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const bound = silent.address();
  const at = { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  expect(await why(at, identityOf(KEY, new Uint8Array(16)), PSK)).toBe('it did not answer');
  silent.close();
});

test('[delivery-15] a system goes from slot to slot, and a board that gives something else is not believed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lichen-street-'));
  const slotsIn = (name: string): Slots => {
    const { boot, roots, stage } = makeSlotFiles(join(folder, name), underUefi);
    const records = systemdBoot({ bootPath: boot, running: 'a' });
    const nothing = (): void => {};
    return openSlots({
      ...{ bootPath: boot, running: 'a', roots, stagePath: stage, records },
      ...{ setWritable: nothing, forgetCached: nothing, restart: nothing },
    });
  };
  const two = system(2);
  const [annas, berts] = [slotsIn('anna'), slotsIn('bert')];
  await receive(annas, two);
  const files = openFiles({ path: join(folder, 'files') });
  let spoilt = '';
  const doorOf = (read: ReadPiece): NeighboursDoor =>
    new NeighboursDoor({ read, entropy: kernelEntropy, port, own: () => [LOOPBACK], journal: () => undefined });
  const read = readFrom(files.read, annas.read);
  const anna = doorOf(async (piece) => {
    const bytes = await read(piece);
    return hex(piece.chunk[0]) === spoilt ? (bytes?.with(0, bytes[0]! ^ 1) ?? null) : bytes;
  });
  const bert = doorOf(readFrom(files.read, berts.read));
  const gave = new Map<string, Bytes | null>();
  let neighbour = '';
  bert.watch((event) => {
    if (event.kind === 'neighbour-seen') neighbour = event.neighbour;
    if (event.kind === 'neighbour-gave') gave.set(hex(event.hash), event.bytes);
  });
  anna.perform({ kind: 'share', who: 'a1'.repeat(8), releases: [{ ...shared, release: two.release }] });
  bert.perform({ kind: 'share', who: 'be'.repeat(8), releases: [{ ...shared, release: two.release, whole: false }] });
  await wait(150);
  bert.perform({ kind: 'look', release: two.release });
  await until(() => neighbour !== '');

  await perform(berts, { kind: 'receive', release: two.release, entries: entriesOf(two) });
  const jigsaws = filesOf(entriesOf(two));
  const gathered = await perform(berts, { kind: 'gather', files: jigsaws });
  const lacks = gathered.kind === 'gathered' ? gathered.lacks : [];
  const pieces = lacks.flatMap(({ file, offset }) => {
    const jigsaw = jigsaws.find((one) => equal(one.file.hash, file.hash));
    return [...(jigsaw?.pieces ?? [])].flatMap((piece) => (piece.offset === offset ? [{ file, offset, chunk: piece.chunk }] : []));
  });
  expect(pieces.length).toBeGreaterThan(2);
  spoilt = hex(pieces[0]!.chunk[0]);
  bert.perform({ kind: 'take', release: two.release, neighbour, pieces });
  await until(() => gave.size === pieces.length);
  for (const { file, offset, chunk } of pieces) {
    const bytes = gave.get(hex(chunk[0])) ?? new Uint8Array();
    const isRight = equal(testCrypto.sha256(bytes), chunk[0]);
    expect(isRight).toBe(hex(chunk[0]) !== spoilt);
    await perform(berts, { kind: 'write', file, offset, bytes });
  }
  for (const { file, bytes } of jigsaws) {
    const isSpoilt = pieces.some((piece) => equal(piece.file.hash, file.hash) && hex(piece.chunk[0]) === spoilt);
    // Were it believed, it would still not be started.
    const kind = isSpoilt ? 'files-refused' : 'file-sealed';
    expect((await perform(berts, { kind: 'seal', file, bytes })).kind).toBe(kind);
  }
  anna.close();
  bert.close();
  rmSync(folder, { recursive: true, force: true });
});

test('[delivery-13] what strangers say to the port does no harm', async () => {
  const street = open();
  const [anna, bert] = [street.board([new Uint8Array(9)]), street.board([])];
  const heard: string[] = [];
  bert.watch(({ kind }) => heard.push(kind));
  anna.perform({ kind: 'share', who: 'a1'.repeat(8), releases: [shared] });
  bert.perform({ kind: 'share', who: 'be'.repeat(8), releases: [{ ...shared, whole: false }] });
  await street.settle();
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  for (const bytes of [new Uint8Array(0), new Uint8Array(60).fill(0x5f), new Uint8Array(9000), sayWord(other.key, word)])
    await new Promise((resolve) => socket.send(bytes, port, GROUP, resolve));
  await street.settle();
  expect(heard).toEqual([]);
  bert.perform({ kind: 'look', release: shared.release });
  await until(() => heard.length > 0);
  socket.close();
  street.close();
});

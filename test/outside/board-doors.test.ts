/** Whom a board talks to: the key that it was told, at the address that it was told, and nobody else; not one byte. */
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { nextOperator } from '../../gateway/cli/ceremony.ts';
import { identityFromSeed } from '../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Listening, listen } from '../../runtime/adapters/tls.ts';
import { ERRORS, LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { OperatorDoc } from '../../runtime/protocol/nouns/trust.ts';
import { until } from '../../sim/harness/wait.ts';
import { type Federation, federate, PATIENCE_MS, root } from './gateway.ts';
import { Liar } from './liar.ts';
import { header } from './mqtt.ts';
import { type Person, person } from './person.ts';
import { RealBoard } from './real-board.ts';

const open: { close(): Promise<void> }[] = [];
const boards: RealBoard[] = [];
afterEach(async () => {
  await Promise.all(boards.splice(0).map((board) => board.end()));
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const lie = async (federation: Federation, name: string, key?: Person): Promise<Liar> => {
  const liar = key === undefined ? await Liar.open(federation, name) : await Liar.open(federation, name, key);
  open.push(liar);
  return liar;
};

const stop = async (liar: Liar): Promise<void> => {
  open.splice(open.indexOf(liar), 1);
  await liar.close();
};

const startBoard = (name: string, claim: string): RealBoard => {
  const board = RealBoard.start(name, claim);
  boards.push(board);
  return board;
};

/** TLS on the port of a gateway, with any key, that counts what it hears inside. */
class Mute {
  connections = 0;
  heardBytes = 0;
  greet: (stream: Duplex) => void = () => {};
  #listening: Listening | null = null;

  static async open(address: string, key: Person): Promise<Mute> {
    const mute = new Mute();
    open.push(mute);
    mute.#listening = await listen({
      ...{ host: '127.0.0.1', port: Number(address.split(':')[1]), identity: identityFromSeed(key.seed, key.id) },
      ...{ handshakeMs: PATIENCE_MS, socketsMax: 100, failed: () => {} },
      admit: () => mute.connections++ >= 0,
      arrived: ({ stream }) => {
        stream.on('data', (chunk: Buffer) => {
          mute.heardBytes += chunk.length;
          mute.greet(stream);
        });
      },
    });
    return mute;
  }

  close(): Promise<void> {
    open.splice(open.indexOf(this), 1);
    return this.#listening?.close() ?? Promise.resolve();
  }
}

const next = (federation: Federation, change: Partial<OperatorDoc>, signer = root.signer) =>
  nextOperator(nodeCrypto, federation.doc, change, [signer]);

test('another key on the address of its gateway: nothing is said to it', async () => {
  const federation = await federate('north');
  const north = await lie(federation, 'north');
  const board = startBoard('pinned', north.claim);
  await north.greeted(0);
  const before = await board.status();
  await stop(north);
  const mark = board.mark();
  const mute = await Mute.open(north.entry.address, person('impostor'));
  await board.refused('gateway north', 'pin-mismatch', /shows another key than the one pinned/, mark);
  expect(mute.connections).toBeGreaterThan(0);
  expect(mute.heardBytes).toBe(0);
  expect(await board.status()).toEqual(before);
  await mute.close();
  const again = await lie(federation, 'north');
  await again.greeted(0);
});

test('another key than that of the claim: the claim is not shown', async () => {
  const federation = await federate('north');
  const [entry] = federation.entries;
  const mute = await Mute.open(entry!.address, person('impostor'));
  const claim = Liar.claimOf(federation, entry!);
  const board = startBoard('claiming', claim);
  await board.process.ended;
  expect(board.process.exitCode()).toBe(ERRORS['pin-mismatch'].exit);
  // To a person: what, why, what next, and no stack.
  expect(board.log().slice(-3)).toEqual([
    `${ERRORS['pin-mismatch'].says} ${entry!.address} shows another key than the one pinned`,
    ERRORS['pin-mismatch'].next,
    '',
  ]);
  expect(mute.heardBytes).toBe(0);
  await mute.close();
  const north = await lie(federation, 'north');
  board.restart();
  await north.greeted(0);
});

test('a packet larger than any may be', async () => {
  const federation = await federate('north');
  const north = await lie(federation, 'north');
  const board = startBoard('small', north.claim);
  await north.greeted(0);
  const before = await board.status();
  await stop(north);
  const mark = board.mark();
  const flood = await Mute.open(north.entry.address, north.key);
  const connack = Buffer.from([0x20, 2, 0, 0]);
  flood.greet = (stream) => void stream.write(Buffer.concat([connack, header(0x30, LIMITS.packetBytes), Buffer.alloc(1024)]));
  await board.refused('gateway north', 'too-large', /an MQTT packet of 131076 bytes; at most 131072 are allowed/, mark);
  expect(await board.status()).toEqual(before);
  await flood.close();
  const again = await lie(federation, 'north');
  await again.greeted(0);
});

test("a gateway's new key: told while the old one serves, dialled with the new one", async () => {
  const federation = await federate('north');
  const north = await lie(federation, 'north');
  const board = startBoard('told', north.claim);
  await north.greeted(0);
  const present = person('gateway north 2');
  const entries = [{ ...north.entry, key: present.key }];
  const mark = board.mark();
  // Another root may sign whatever it wants.
  north.welcome({ operators: [next(federation, { gateways: entries }, person('another root').signer).document] });
  await board.refused('operator document', 'bad-signature', /fewer than 1 roots/, mark);
  const second = next(federation, { gateways: entries });
  north.welcome({ operators: [second.document] });
  // It stays with the key that serves, and takes the other when that one comes.
  await north.reports.next(() => true, north.reports.all.length);
  await stop(north);
  const again = await lie({ ...federation, entries }, 'north', present);
  await again.greeted(0);
  // The former key is a stranger's from now on.
  await stop(again);
  const later = board.mark();
  const mute = await Mute.open(north.entry.address, north.key);
  await board.refused('gateway north', 'pin-mismatch', /shows another key than the one pinned/, later);
  expect(mute.heardBytes).toBe(0);
});

test('a gateway whose key is revoked: left at once, and dialled no more', async () => {
  const federation = await federate('north', 'south');
  const both = await Promise.all([lie(federation, 'north'), lie(federation, 'south')]);
  const board = startBoard('warned', both[0]!.claim);
  const greeted = both.map((liar) => liar.greeted(0).then(() => liar));
  const home = await Promise.race(greeted);
  const other = both.find((liar) => liar !== home)!;
  const mark = board.mark();
  home.welcome({ operators: [next(federation, { revoked: [home.entry.key] }).document] });
  await board.said(/revoked-key: its operator has taken it off the list/, mark);
  await other.greeted(0);
  // Now only one is left, and when that one goes the board asks nobody else.
  const arrivals = home.events.all.filter(({ kind }) => kind === 'connected').length;
  const away = board.mark();
  await stop(other);
  await until(
    'three dials in vain',
    PATIENCE_MS,
    () =>
      board
        .log()
        .slice(away)
        .filter((line) => line.includes('unavailable')).length >= 3,
  );
  expect(home.events.all.filter(({ kind }) => kind === 'connected').length).toBe(arrivals);
  const again = await lie(federation, other.entry.name);
  await again.greeted(0);
});

test('a gateway that goes on talking after it was refused changes nothing', async () => {
  const federation = await federate('north');
  const north = await lie(federation, 'north');
  const board = startBoard('patient', north.claim);
  await north.greeted(0);
  const mark = board.mark();
  for (let at = 0; at < 20; at++) north.send('desired', Uint8Array.of(0xff));
  await until(
    'all to be refused',
    PATIENCE_MS,
    () =>
      board
        .log()
        .slice(mark)
        .filter((line) => line.includes('desired refused')).length === 20,
  );
  north.hangUp(new LichenError('unavailable', 'a test'));
  await north.greeted();
  expect((await board.status()).instances).toEqual([]);
});

/** The port itself: which TLS, which protocol, how many strangers, for how long. */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { Admission, networkOf } from '../../../gateway/broker/admission.ts';
import { openClock } from '../../../runtime/adapters/clock.ts';
import { CONNECTED, connect } from './packets.ts';
import { ofKind, someone, untilBytes, untilClosed, World } from './world.ts';

const board = someone(1);
const other = someone(2);

let world: World;
afterEach(() => world.close());

const open = async (options: Parameters<typeof World.open>[0] = {}): Promise<void> => {
  world = await World.open(options);
  world.admit('board', board);
  world.admit('board', other);
};

/** TLS by hand; resolves with the socket once it is up, rejects with what stopped it. */
const byHand = (options: ConnectionOptions = {}): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const proof = { cert: board.certificatePem, key: board.privateKeyPem };
    const socket = connectTls({
      host: '127.0.0.1',
      port: world.door.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['mqtt'],
      ...proof,
      ...options,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      world.later(() => socket.destroy());
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });

const tcp = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp(world.door.port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
    world.later(() => socket.destroy());
  });

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'connected',
    (thrown: { code?: string }) => thrown.code,
  );

describe('the handshake', () => {
  test('TLS 1.3 with a protocol that is spoken here is agreed on', async () => {
    await open();
    const socket = await byHand();
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.3', 'mqtt']);
  });

  test('TLS 1.2 is refused', async () => {
    await open();
    expect(await codeOf(byHand({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }))).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });

  test('a protocol that nobody here speaks is refused', async () => {
    await open();
    expect(await codeOf(byHand({ ALPNProtocols: ['h2', 'http/1.1'] }))).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });

  test.each([
    ['no protocol', { ALPNProtocols: [] }, 'version-unsupported'],
    ['no certificate', { cert: undefined, key: undefined }, 'unknown-key'],
  ])('%s: closed before anything is read', async (_name, options, code) => {
    await open();
    const socket = await byHand(options);
    const closed = untilClosed(socket);
    socket.write(connect({ clientId: board.id }));
    expect(await closed).toEqual(Buffer.alloc(0));
    await world.notes.next((note) => note.code === code);
    expect(world.events.all).toEqual([]);
  });

  test('no connection is resumed: each proves its key anew', async () => {
    await open();
    const sessions: Buffer[] = [];
    const first = await byHand();
    first.on('session', (session) => sessions.push(session));
    const answer = untilBytes(first, CONNECTED.length);
    first.write(connect({ clientId: board.id }));
    await answer;
    for (const session of [...sessions, first.getSession()]) {
      const again = await byHand({ session, cert: undefined, key: undefined });
      expect(again.isSessionReused()).toBe(false);
    }
  });
});

describe('strangers', () => {
  test('no CONNECT in time: the connection is closed, also if the handshake was never begun', async () => {
    await open({ limits: { connectDeadlineMs: 50 } });
    const [silent, raw] = [await byHand(), await tcp()];
    await Promise.all([untilClosed(silent), untilClosed(raw)]);
    expect(world.notes.all.filter(({ detail }) => detail.includes('not accepted within 50 ms'))).toHaveLength(2);
  });

  test('an accepted session outlives the deadline', async () => {
    await open({ limits: { connectDeadlineMs: 200 } });
    const session = await world.session('board', board);
    // A stranger that came later meets its deadline; the session that came before has passed its own.
    await untilClosed(await tcp());
    await session.publish('report', Uint8Array.of(1));
    expect(session.ends.all).toEqual([]);
  });

  test('one address may have so many at once; whoever is accepted or leaves makes room', async () => {
    await open({ limits: { strangersPerAddress: 3 } });
    const [one, two, three] = [await byHand(), await byHand(), await byHand()];
    const turned = await tcp();
    await untilClosed(turned);
    await world.notes.next(({ detail }) => detail.includes('3 connections from there'));
    const answer = untilBytes(one, CONNECTED.length);
    one.write(connect({ clientId: board.id }));
    await answer;
    const fourth = await byHand();
    await untilClosed(await tcp());
    two.destroy();
    three.destroy();
    fourth.destroy();
    // That the three have left reaches the door a little later than this end.
    const comeIn = async (): Promise<void> => {
      await world.session('board', other).catch(comeIn);
    };
    await comeIn();
    expect(world.events.all.filter(ofKind('connected'))).toHaveLength(2);
  });

  test('past the limit of connections new ones are closed unseen', async () => {
    await open({ limits: { sessions: 2 } });
    await world.session('board', board);
    await world.session('board', other);
    await untilClosed(await tcp());
    await world.notes.next(({ detail }) => detail.includes('more than 2 connections'));
    expect(world.events.all.filter(ofKind('disconnected'))).toEqual([]);
  });

  test('a party is an IPv4 address or a /64', () => {
    expect(networkOf('192.0.2.7')).toBe('192.0.2.7');
    expect(networkOf('::ffff:192.0.2.7')).toBe('192.0.2.7');
    const same = ['2001:db8::1', '2001:db8::abcd:1', '2001:db8:0:0:9:8:7:6', '2001:db8::ffff:0:0:1'];
    expect(new Set(same.map(networkOf))).toEqual(new Set(['2001:db8:0:0']));
    expect(networkOf('2001:db8:1::1')).toBe('2001:db8:1:0');
    expect(networkOf('::1')).toBe('0:0:0:0');
    expect(networkOf('fe80::')).toBe('fe80:0:0:0');
  });

  test('counts come back to nothing', async () => {
    await open();
    const admission = new Admission({ clock: openClock(), perNetwork: 1, deadlineMs: 60_000, refused: () => {} });
    for (let i = 0; i < 3; i++) {
      const socket = await tcp();
      expect(admission.enter(socket, `a ${i}`)).toBe(true);
      expect(admission.enter(await tcp(), `b ${i}`)).toBe(false);
      const closed = untilClosed(socket);
      socket.destroy();
      await closed;
      admission.passed(`a ${i}`);
    }
  });
});

test('closing ends every connection', async () => {
  await open();
  const session = await world.session('board', board);
  const silent = untilClosed(await byHand());
  await world.door.close();
  await Promise.all([session.ended(), silent]);
  expect(world.events.all.filter(ofKind('disconnected'))).toHaveLength(1);
});

test('an address that is taken is an error, not a crash', async () => {
  await open();
  await expect(World.open({ port: world.door.port })).rejects.toMatchObject({
    ...{ code: 'cannot-listen', detail: `something listens on 127.0.0.1:${world.door.port} already` },
    next: expect.stringMatching(/ss -ltnp.*--listen/),
  });
});

/** The TLS port's two ends: what is pinned, what is refused, and that nothing is written before. */
import { createServer as createHttp } from 'node:http';
import { createServer as createTcp, type Server } from 'node:net';
import { createServer as createTls } from 'node:tls';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type Identity, identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { type Arrival, type Dialled, type DialOptions, dial, type Listening, listen, parseAddress } from '../../../runtime/adapters/tls.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';

const server = identityFromSeed(new Uint8Array(32).fill(1), 'server');
const client = identityFromSeed(new Uint8Array(32).fill(2), 'client');
const wrong = identityFromSeed(new Uint8Array(32).fill(3), 'wrong');

/** A P-256 key and its certificate: good TLS, but nothing that could be pinned here. */
const P256_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2OGvdrRJjDKr8Hqi
d1iBm/BPehth9ZVgSzH/fxtsYf2hRANCAATX5th3qDm+JETJ/qzj94japI4N3FKo
9CqHvBEanvmTKLvd2Vc5ECBEFDi2flgmVaLIGxdhhMZ7Dtwd4lCYpuPz
-----END PRIVATE KEY-----
`;
const P256_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUOX8sLNCVr7BIOoo15UJ5EVnee6QwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCZWMwIBcNMjYxMTIzMDIxNzA4WhgPMjEyNjEwMzAwMjE3MDha
MA0xCzAJBgNVBAMMAmVjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1+bYd6g5
viREyf6s4/eI2qSODdxSqPQqh7wRGp75kyi73dlXORAgRBQ4tn5YJlWiyBsXYYTG
ew7cHeJQmKbj86NTMFEwHQYDVR0OBBYEFGLd0YlO9Yc7tRFcWGJ+FRX/5fTrMB8G
A1UdIwQYMBaAFGLd0YlO9Yc7tRFcWGJ+FRX/5fTrMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIhANeJcJYZesnjYFAaQ8zxAyhLeP9gFRuUwHOPMUYg
gdekAiAQ7S2cgKJtcOQr5BrVqfhRbuYUT15W4Dn8aiJA+n6YKg==
-----END CERTIFICATE-----
`;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

interface Far {
  listening: Listening;
  arrivals: Arrival[];
  failures: LichenError[];
  /** All application data that came, over all connections. */
  bytes: () => number;
  /** The first connection is over, whether or not its handshake came to an end. */
  over: Promise<void>;
  /** That many connections have arrived. */
  arrived: (count: number) => Promise<void>;
}

const open = async (identity: Identity = server): Promise<Far> => {
  const arrivals: Arrival[] = [];
  const failures: LichenError[] = [];
  const over = Promise.withResolvers<void>();
  let waiting = () => {};
  let bytes = 0;
  const listening = await listen({
    host: '127.0.0.1',
    port: 0,
    identity,
    handshakeMs: 10_000,
    socketsMax: 10,
    admit: () => true,
    failed: (error) => {
      failures.push(error);
      over.resolve();
    },
    arrived: (arrival) => {
      arrivals.push(arrival);
      waiting();
      arrival.stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      arrival.stream.once('close', () => over.resolve());
    },
  });
  undo.push(() => listening.close());
  const arrived = async (count: number) => {
    while (arrivals.length < count) await new Promise<void>((resolve) => (waiting = resolve));
  };
  return { listening, arrivals, failures, bytes: () => bytes, over: over.promise, arrived };
};

const to = (port: number, over: Partial<DialOptions> = {}): Promise<Dialled | LichenError> =>
  new Promise((resolve) => {
    const options: DialOptions = {
      address: `127.0.0.1:${port}`,
      alpn: 'mqtt',
      identity: client,
      expectKey: server.signer.publicKey,
      timeoutMs: 10_000,
      ...over,
    };
    dial(options, (result) => {
      if (!(result instanceof LichenError)) undo.push(() => result.stream.destroy());
      resolve(result);
    });
  });

const bound = async (listening: Server): Promise<number> => {
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  undo.push(() => new Promise((resolve) => listening.close(resolve)));
  const address = listening.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

test("both ends know each other's key and the same exporter, another connection has another", async () => {
  const far = await open();
  const first = await to(far.listening.port, { alpn: 'lichen-peer/1' });
  const second = await to(far.listening.port);
  if (first instanceof LichenError || second instanceof LichenError) throw first;
  await far.arrived(2);
  const [one, two] = far.arrivals;
  expect([one?.alpn, two?.alpn]).toEqual(['lichen-peer/1', 'mqtt']);
  expect(one?.key).toEqual(client.signer.publicKey);
  expect(one?.exporter()).toEqual(first.exporter);
  expect(two?.exporter()).toEqual(second.exporter);
  expect(first.exporter).toHaveLength(32);
  expect(first.exporter).not.toEqual(second.exporter);
  expect(one?.from).not.toBe(two?.from);
});

test('another key than the pinned one: nothing was written', async () => {
  const far = await open(wrong);
  expect(await to(far.listening.port)).toMatchObject({ code: 'pin-mismatch' });
  await far.over;
  expect(far.bytes()).toBe(0);
  const right = await to(far.listening.port, { expectKey: wrong.signer.publicKey });
  if (right instanceof LichenError) throw right;
  right.stream.end('hello');
  // The same server counts what does come.
  await far.arrived(1);
  await new Promise((resolve) => right.stream.once('close', resolve));
  expect(far.bytes()).toBe(5);
});

test('a server whose key is no Ed25519 key is refused', async () => {
  const port = await bound(
    createTls({ key: P256_KEY, cert: P256_CERTIFICATE, ALPNProtocols: ['mqtt'] }, (socket) => socket.on('error', () => {})),
  );
  expect(await to(port)).toMatchObject({ code: 'pin-mismatch', detail: expect.stringContaining('no Ed25519') });
});

test('a server that speaks TLS 1.2 only is refused', async () => {
  const { certificatePem: cert, privateKeyPem: key } = server;
  const listening = createTls({ cert, key, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ALPNProtocols: ['mqtt'] });
  const failed = new Promise((resolve) => listening.once('tlsClientError', resolve));
  expect(await to(await bound(listening))).toMatchObject({ code: 'unavailable', detail: expect.stringMatching(/PROTOCOL_VERSION/i) });
  await failed;
});

test('a server that speaks no TLS, such as the API, is told to be one', async () => {
  const port = await bound(createHttp((_request, response) => response.end()));
  expect(await to(port)).toMatchObject({
    ...{ code: 'unavailable', detail: expect.stringContaining('answers without TLS') },
    next: expect.stringContaining('is this the port of the API?'),
  });
});

test.each([
  ['another protocol', ['h2']],
  ['none', []],
])('a server that speaks %s is refused', async (_name, ALPNProtocols) => {
  const { certificatePem: cert, privateKeyPem: key } = server;
  const port = await bound(createTls({ cert, key, ALPNProtocols }, (socket) => socket.on('error', () => {})));
  expect(await to(port)).toMatchObject({ code: 'version-unsupported' });
});

test('nobody there, and an address that is none', async () => {
  const listening = createTcp();
  const port = await bound(listening);
  await new Promise((resolve) => listening.close(resolve));
  expect(await to(port)).toMatchObject({ code: 'unavailable', detail: expect.stringContaining('ECONNREFUSED') });
  let answeredBefore = false;
  const late = new Promise<LichenError | Dialled>((resolve) => {
    const options = { address: 'nonsense', alpn: 'mqtt', identity: client, expectKey: server.signer.publicKey, timeoutMs: 10_000 } as const;
    dial(options, (result) => {
      answeredBefore = true;
      resolve(result);
    });
  });
  expect(answeredBefore).toBe(false);
  expect(await late).toMatchObject({ code: 'bad-usage' });
});

test('a server that never says a word is given up', async () => {
  const port = await bound(createTcp((socket) => undo.push(() => socket.destroy())));
  expect(await to(port, { timeoutMs: 50 })).toMatchObject({ code: 'unavailable', detail: expect.stringContaining('50 ms') });
});

test('an attempt that is undone never answers', async () => {
  const far = await open();
  const answers: (Dialled | LichenError)[] = [];
  const options = { alpn: 'mqtt', identity: client, expectKey: server.signer.publicKey, timeoutMs: 10_000 } as const;
  for (const address of [`127.0.0.1:${far.listening.port}`, 'nonsense']) dial({ ...options, address }, (result) => answers.push(result))();
  // A whole later connection comes through in the meantime.
  expect(await to(far.listening.port)).not.toBeInstanceOf(LichenError);
  expect(answers).toEqual([]);
});

describe('addresses', () => {
  test('host and port', () => {
    expect(parseAddress('gateway.example.org:8883')).toEqual({ host: 'gateway.example.org', port: 8883 });
    expect(parseAddress('[2001:db8::1]:1')).toEqual({ host: '2001:db8::1', port: 1 });
    for (const bad of [
      '',
      'host',
      'host:',
      ':1',
      'host:0',
      'host:65536',
      'host:01',
      '::1:8883',
      'a b:1',
      '[::1]',
      'host:1/x',
      'host:1\n',
    ]) {
      expect(parseAddress(bad), bad).toBeNull();
    }
  });

  test('whatever comes in, it is answered', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseAddress(text)));
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(fc.domain(), port, (host, number) => {
        expect(parseAddress(`${host}:${number}`)).toEqual({ host, port: number });
      }),
    );
  });
});

/**
 * TLS 1.3 (RFC 8446), one port for each gateway: ALPN (RFC 7301) says what is spoken inside. One port, because that
 * is what a person has to open in a firewall, put into a claim and sign into the operator's document; and because
 * the choice is made inside the handshake, nobody has to guess a protocol from its first bytes.
 *
 * No certificate authority: the client pins the server's raw Ed25519 key, the server shows the client's to its
 * gatekeeper. Nothing is resumed, so each connection has proved its key in its own handshake.
 */
import { constants, type X509Certificate } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { type Bytes, equal } from '../protocol/bytes.ts';
import { cannotListen, LichenError } from '../protocol/errors.ts';
import type { Identity } from './certificate.ts';
import { isWeakKey, SPKI_PREFIX } from './crypto.ts';

/** `mqtt` is registered with IANA; the others are ours. */
export const ALPN = { mqtt: 'mqtt', pair: 'lichen-pair/1', peer: 'lichen-peer/1' } as const;
export type Alpn = (typeof ALPN)[keyof typeof ALPN];

const isAlpn = (word: string | false | null): word is Alpn => Object.values(ALPN).some((known) => known === word);

const EXPORTER_BYTES = 32;
/** RFC 9266 §2: label, empty context, 32 bytes. */
const exporterOf = (socket: TLSSocket): Bytes =>
  Uint8Array.from(socket.exportKeyingMaterial(EXPORTER_BYTES, 'EXPORTER-Channel-Binding', Buffer.alloc(0)));

/** The raw key of the other end's certificate; null for none, another kind than Ed25519, or a weak one. */
const keyOf = (certificate: X509Certificate | undefined): Bytes | null => {
  if (certificate === undefined || certificate.publicKey.asymmetricKeyType !== 'ed25519') return null;
  const exported = certificate.publicKey.export({ format: 'der', type: 'spki' });
  const key = Uint8Array.from(exported.subarray(SPKI_PREFIX.length));
  return isWeakKey(key) ? null : key;
};

const common = (identity: Identity) =>
  ({
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // Node would ask certificate authorities, and there are none. For a self-signed peer checkServerIdentity is never
    // called either: both ends compare the key themselves, below and in the gatekeeper.
    rejectUnauthorized: false,
    // Nor is it to read the hundred and more that it brings along.
    ca: [] as string[],
  }) as const;

export interface DialOptions {
  /** `host:port`, IPv6 as `[::1]:8883`. */
  address: string;
  alpn: Alpn;
  identity: Identity;
  /** The Ed25519 key that the server must hold. */
  expectKey: Bytes;
  /** For TCP and TLS together. */
  timeoutMs: number;
  /** A connection that leads there already, e.g. through a proxy. */
  over?: Duplex;
}

export interface Dialled {
  stream: Duplex;
  /** RFC 9266 tls-exporter: the same at both ends of this connection and of no other. */
  exporter: Bytes;
}

/** Answers once, never before it returned; the undo ends the attempt without an answer. */
export type Dial = (options: DialOptions, done: (result: Dialled | LichenError) => void) => () => void;

/** Null unless `host:port` with a port of 1 to 65535. */
export const parseAddress = (address: string): { host: string; port: number } | null => {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]+)):([1-9][0-9]{0,4})$/i.exec(address);
  const port = Number(match?.[3]);
  return match !== null && port <= 65_535 ? { host: match[1] ?? match[2] ?? '', port } : null;
};

const messageOf = (thrown: Error): string => ('code' in thrown ? `${String(thrown.code)}: ${thrown.message}` : thrown.message);

/** What OpenSSL says when the first bytes are no record of TLS, by how much of a text it has read. */
const PLAIN: ReadonlySet<string> = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST']);
const NO_TLS = 'No TLS is spoken there: is this the port of the API? The one for MQTT is that of `lichen gateway run --listen`.';

/** Why this connection must not be used, though TLS has been agreed on; null: it may. */
const objection = (socket: TLSSocket, options: DialOptions): LichenError | null => {
  const key = keyOf(socket.getPeerX509Certificate());
  if (key === null) return new LichenError('pin-mismatch', `${options.address} shows no Ed25519 key`);
  if (!equal(key, options.expectKey)) return new LichenError('pin-mismatch', `${options.address} shows another key than the one pinned`);
  if (socket.alpnProtocol !== options.alpn)
    return new LichenError('version-unsupported', `${options.address} does not speak ${options.alpn}`);
  return null;
};

/**
 * The key is compared before a byte of application data is written (the client's certificate, which is public, goes
 * out with the handshake). Errors: `unavailable`, `pin-mismatch`, `version-unsupported`, `bad-usage`.
 */
export const dial: Dial = (options, done) => {
  const { address, alpn, timeoutMs } = options;
  const target = parseAddress(address);
  if (target === null) {
    const pending = setImmediate(done, new LichenError('bad-usage', `${address} is not host:port`));
    return () => clearImmediate(pending);
  }
  const route = options.over === undefined ? target : { socket: options.over };
  const socket = connect({ ...route, ...common(options.identity), ALPNProtocols: [alpn] });
  const timer = setTimeout(() => answer(new LichenError('unavailable', `${address} did not answer within ${timeoutMs} ms`)), timeoutMs);
  let open = true;
  const close = (): boolean => {
    const wasOpen = open;
    open = false;
    clearTimeout(timer);
    return wasOpen;
  };
  const answer = (result: Dialled | LichenError): void => {
    if (!close()) return;
    if (result instanceof LichenError) socket.destroy();
    done(result);
  };
  socket.setNoDelay(true);
  socket.on('error', (thrown) => {
    const code = 'code' in thrown ? String(thrown.code) : '';
    if (PLAIN.has(code)) return answer(new LichenError('unavailable', `${address} answers without TLS`, NO_TLS));
    const refusedAlpn = code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
    answer(new LichenError(refusedAlpn ? 'version-unsupported' : 'unavailable', `${address}: ${messageOf(thrown)}`));
  });
  socket.once('close', () => answer(new LichenError('unavailable', `${address} closed the connection`)));
  socket.once('secureConnect', () => answer(objection(socket, options) ?? { stream: socket, exporter: exporterOf(socket) }));
  return () => {
    if (close()) socket.destroy();
  };
};

/** A connection that has come through the handshake. */
export interface Arrival {
  stream: Duplex;
  alpn: Alpn;
  /** The client's raw Ed25519 key; null when it showed none that is worth anything. */
  key: Bytes | null;
  exporter(): Bytes;
  /** The far end, as text that is unique among open connections. */
  from: string;
}

export interface ListenOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  identity: Identity;
  handshakeMs: number;
  /** Open connections; past that new ones are closed unseen. */
  socketsMax: number;
  /** Asked before the handshake is worked on. False: the connection is closed. */
  admit(socket: Socket, from: string): boolean;
  arrived(arrival: Arrival): void;
  /** A handshake that failed, a connection too many. */
  failed(error: LichenError): void;
}

export interface Listening {
  port: number;
  /** Ends every connection. */
  close(): Promise<void>;
}

const farEnd = (socket: Socket): string => `${socket.remoteAddress ?? '?'} ${socket.remotePort ?? 0}`;

const onSecure = (socket: TLSSocket, options: ListenOptions): void => {
  // Whoever takes the stream listens too; without a listener a reset would end the process.
  socket.on('error', () => {});
  const { alpnProtocol } = socket;
  if (!isAlpn(alpnProtocol)) {
    socket.destroy();
    options.failed(new LichenError('version-unsupported', `${farEnd(socket)} asked for no protocol that is spoken here`));
    return;
  }
  const key = keyOf(socket.getPeerX509Certificate());
  options.arrived({ stream: socket, alpn: alpnProtocol, key, exporter: () => exporterOf(socket), from: farEnd(socket) });
};

const listenOn = (server: Server, { host, port }: ListenOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (thrown) => reject(cannotListen(`${host}:${port}`, thrown, '--listen')));
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });

/** Error: `cannot-listen` when the address cannot be bound. */
export const listen = async (options: ListenOptions): Promise<Listening> => {
  const sockets = new Set<Socket>();
  const server = createServer({
    ...common(options.identity),
    ALPNProtocols: Object.values(ALPN),
    requestCert: true,
    // With neither tickets nor a session store nothing can be resumed.
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: options.handshakeMs,
    noDelay: true,
  });
  server.maxConnections = options.socketsMax;
  // The raw socket, before TLS has read a byte of it.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    if (!options.admit(socket, farEnd(socket))) socket.destroy();
  });
  server.on('drop', () => options.failed(new LichenError('unavailable', `more than ${options.socketsMax} connections`)));
  server.on('tlsClientError', (thrown) => options.failed(new LichenError('unavailable', `a handshake failed: ${messageOf(thrown)}`)));
  server.on('secureConnection', (socket) => onSecure(socket, options));
  const port = await listenOn(server, options);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

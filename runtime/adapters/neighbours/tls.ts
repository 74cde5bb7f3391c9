/**
 * Sessions between boards that know the same release: TLS 1.3 under a key that follows from it (RFC 8446, section 2.2), with a
 * fresh exchange beside. No certificates: who the other is, nobody has to know, as pieces are believed by their hash.
 */
import { connect, createServer, type TLSSocket } from 'node:tls';
import { LIMITS } from '../../protocol/limits.ts';

const COMMON = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // A key of this kind goes with SHA-256.
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256',
  // No authority has a say here, and Node is not to read all that it brings along.
  ca: [] as string[],
} as const;

export interface ListenOptions {
  /** The usual one; 0, or one that is taken: any that is free. */
  port: number;
  /** Asked before anything is read. */
  admit(address: string): boolean;
  /** Null: of nothing that is shared. */
  keyOf(socket: TLSSocket, identity: string): Uint8Array | null;
  arrived(socket: TLSSocket): void;
  failed(why: string): void;
}

export interface Listening {
  port: Promise<number>;
  close(): void;
}

export const listen = ({ port, admit, keyOf, arrived, failed }: ListenOptions): Listening => {
  const server = createServer({
    ...COMMON,
    handshakeTimeout: LIMITS.neighbourHandshakeMs,
    pskCallback: keyOf,
  });
  server.maxConnections = LIMITS.neighbours;
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (!admit(socket.remoteAddress ?? '')) socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.setTimeout(LIMITS.neighbourIdleMs, () => socket.destroy());
    arrived(socket);
  });
  const bound = new Promise<number>((resolve) => {
    server.on('listening', () => {
      const at = server.address();
      resolve(typeof at === 'object' && at !== null ? at.port : 0);
    });
  });
  server.on('error', (error) => {
    if ('code' in error && error.code === 'EADDRINUSE' && port !== 0) server.listen(0, '0.0.0.0');
    else failed(error.message);
  });
  server.listen(port, '0.0.0.0');
  return {
    port: bound,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};

/** `done`: null when it is open. Whoever could not show the key, with or without a certificate, is nobody's neighbour. */
export const dial = (
  at: { host: string; port: number },
  identity: string,
  psk: Uint8Array,
  done: (why: string | null) => void,
): TLSSocket => {
  const socket = connect({
    ...COMMON,
    ...at,
    pskCallback: () => ({ psk, identity }),
    checkServerIdentity: () => new Error('it showed a certificate'),
  });
  let open = true;
  const say = (why: string | null): void => {
    if (!open) return;
    open = false;
    if (why === null) socket.setTimeout(LIMITS.neighbourIdleMs);
    else socket.destroy();
    done(why);
  };
  socket.setTimeout(LIMITS.neighbourHandshakeMs);
  socket.on('timeout', () => {
    say('it did not answer');
    socket.destroy();
  });
  socket.on('error', (error) => say(error.message));
  socket.once('close', () => say('it closed the connection'));
  socket.once('secureConnect', () => say(socket.getPeerX509Certificate() === undefined ? null : 'it showed a certificate'));
  return socket;
};

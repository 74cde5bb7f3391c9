/**
 * A link that can be cut: an HTTP CONNECT proxy in front of one board. While cut it forwards nothing and closes
 * nothing, as a broken cable does; connections that ended meanwhile are told so only when it is mended.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface CuttableLink {
  port: number;
  cut(): void;
  mend(): void;
  close(): void;
  /** Bytes that came from gateways so far. */
  receivedBytes(): number;
}

export const openLinkProxy = async (): Promise<CuttableLink> => {
  const sockets = new Set<Socket>();
  let isCut = false;
  let received = 0;
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };
  const server: Server = createServer((board) => {
    track(board);
    if (isCut) return void board.pause();
    board.once('data', (head) => {
      const [, host = '', port = ''] = /^CONNECT ([^\s:]+):(\d+) HTTP\/1\.1/.exec(head.toString('latin1')) ?? [];
      const gateway = connect({ host, port: Number(port) });
      track(gateway);
      gateway.once('connect', () => {
        board.write('HTTP/1.1 200 Connection established\r\n\r\n');
        gateway.on('data', ({ length }) => {
          received += length;
        });
        board.pipe(gateway).pipe(board);
      });
      gateway.once('error', () => !isCut && board.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
      gateway.once('close', () => !isCut && board.destroySoon());
      board.once('close', () => !isCut && gateway.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut: () => {
      isCut = true;
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    // What was in flight when the cable broke is gone: both ends find out as they would from a router.
    mend: () => {
      isCut = false;
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
    receivedBytes: () => received,
  };
};

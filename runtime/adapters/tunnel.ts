/** Dialling through an HTTP proxy (CONNECT, RFC 9110 §9.3.6): many sites let nothing else out. TLS stays end to end. */
import { connect, type Socket } from 'node:net';
import { LichenError } from '../protocol/errors.ts';
import { type Dial, type Dialled, type DialOptions, dial, parseAddress } from './tls.ts';

const HEAD_MAX_BYTES = 8 * 1024;

/** Calls once: null when the tunnel stands, else why not. */
const openTunnel = (socket: Socket, address: string, done: (error: LichenError | null) => void): void => {
  let head = '';
  const settle = (error: LichenError | null): void => {
    socket.off('data', read);
    socket.off('error', failed);
    socket.off('close', closed);
    done(error);
  };
  const failed = (thrown: Error): void => settle(new LichenError('unavailable', `proxy: ${thrown.message}`));
  const closed = (): void => settle(new LichenError('unavailable', 'the proxy closed the connection'));
  const read = (bytes: Buffer): void => {
    head += bytes.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0 && head.length < HEAD_MAX_BYTES) return;
    socket.pause();
    const said = head.split('\r\n', 1)[0] ?? '';
    // The other side speaks only after our ClientHello, so nothing may follow the proxy's answer.
    const stands = /^HTTP\/1\.[01] 2\d\d/.test(said) && end === head.length - 4;
    settle(stands ? null : new LichenError('unavailable', `the proxy answered "${said.slice(0, 80)}"`));
  };
  socket.on('data', read);
  socket.on('error', failed);
  socket.on('close', closed);
  socket.write(`CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
};

/** `proxy`: `host:port`. Errors: those of `dial`, and `unavailable` for what the proxy refuses. */
export const dialThrough = (proxy: string): Dial => {
  const via = parseAddress(proxy);
  if (via === null) throw new LichenError('bad-usage', `--proxy: ${proxy} is not host:port`);
  return (options: DialOptions, done: (result: Dialled | LichenError) => void): (() => void) => {
    const socket = connect(via);
    socket.setNoDelay(true);
    let undo = (): void => void socket.destroy();
    let open = true;
    const answer = (result: Dialled | LichenError): void => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      if (result instanceof LichenError) undo();
      done(result);
    };
    const timer = setTimeout(
      () => answer(new LichenError('unavailable', `proxy ${proxy} did not answer within ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    openTunnel(socket, options.address, (error) => {
      if (error !== null) return answer(error);
      if (open) undo = dial({ ...options, over: socket }, answer);
    });
    return () => {
      open = false;
      clearTimeout(timer);
      undo();
    };
  };
};

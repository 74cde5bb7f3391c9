/**
 * A gateway's folder is held for as long as its process lives, so that a second one by mistake is refused before it has taken
 * over the store of the first. By an abstract socket (unix(7)): the kernel lets go of it with the process, however that ends,
 * and no file is left over. It is seen within one network namespace; from another one, and on other systems than Linux, the
 * store's own rule remains, by which the newer writes and the older ends.
 */
import { realpathSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { platform } from 'node:process';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';

export interface Held {
  release(): void;
}

const ANSWER_MS = 1000;
const ANSWER_BYTES = 20;

const nameOf = (folder: string): string => `\0lichen-gateway-${hex(nodeCrypto.sha256(utf8(folder)))}`;

/** Who holds it says its number; anything else is not repeated. */
const askHolder = (name: string): Promise<string> =>
  new Promise((resolve) => {
    let said = '';
    const socket = connect({ path: name });
    const end = (): void => {
      socket.destroy();
      resolve(/^\d{1,10}$/.test(said) ? `process ${said}` : 'another process');
    };
    socket.setTimeout(ANSWER_MS, end);
    socket.on('data', (part) => {
      said += part.toString('latin1');
      if (said.length > ANSWER_BYTES) end();
    });
    socket.once('error', end);
    socket.once('end', end);
  });

/** Error: `conflict` when a gateway runs on the folder, with who holds it. */
export const holdFolder = async (path: string): Promise<Held> => {
  if (platform !== 'linux') return { release: () => undefined };
  const name = nameOf(realpathSync(path));
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(String(process.pid));
  });
  server.unref();
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (thrown) => ('code' in thrown && thrown.code === 'EADDRINUSE' ? resolve(true) : reject(thrown)));
    server.listen({ path: name }, () => resolve(false));
  });
  if (!taken) return { release: () => void server.close() };
  const holder = await askHolder(name);
  throw new LichenError(
    'conflict',
    `a gateway runs on ${path} already: ${holder}`,
    'Leave that one, or stop it first; a second gateway needs a folder, a key and ports of its own.',
  );
};

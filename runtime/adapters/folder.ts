/**
 * The folder of a gateway or a board is held for as long as its process lives, so that a second one by mistake is refused before it has taken
 * over the store of the first. By an abstract socket (unix(7)): the kernel lets go of it with the process, however that ends,
 * and no file is left over. It is seen within one network namespace; from another one, and on other systems than Linux, the
 * store's own rule remains, by which the newer writes and the older ends.
 */
import { realpathSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { platform } from 'node:process';
import { hex, utf8 } from '../protocol/bytes.ts';
import { LichenError } from '../protocol/errors.ts';
import { nodeCrypto } from './crypto.ts';

export interface Held {
  release(): void;
}

const ANSWER_MS = 1000;
const ANSWER_BYTES = 20;

/** Who lives in a folder, and what a second one would need. */
const LODGERS = {
  gateway: { who: 'a gateway', other: 'a second gateway needs a folder, a key and ports of its own' },
  board: { who: 'a runtime', other: 'a second board needs a folder of its own' },
} as const;
type Lodger = keyof typeof LODGERS;

const nameOf = (folder: string, lodger: Lodger): string => `\0lichen-${lodger}-${hex(nodeCrypto.sha256(utf8(folder)))}`;

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

/** Error: `conflict` when one of its kind runs on the folder, with who holds it. */
export const holdFolder = async (path: string, lodger: Lodger): Promise<Held> => {
  if (platform !== 'linux') return { release: () => undefined };
  const name = nameOf(realpathSync(path), lodger);
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
  const { who, other } = LODGERS[lodger];
  throw new LichenError('conflict', `${who} runs on ${path} already: ${holder}`, `Leave that one, or stop it first; ${other}.`);
};

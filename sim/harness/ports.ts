/**
 * Ports that are free now, for processes whose address has to be known before they start. They lie below those that a
 * kernel gives to outgoing connections (from 32,768 on Linux): one of these may be taken again before its process starts.
 */
import { createServer } from 'node:net';
import { LichenError } from '../../runtime/protocol/errors.ts';

const FIRST = 20_000;
const COUNT = 12_000;

/** Null: somebody has it. */
const hold = (port: number): Promise<{ port: number; release(): void } | null> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve({ port, release: () => server.close() }));
  });

/** Held together until all are known, so that they differ. Processes that look at once begin at different places. Error: `unavailable`. */
export const freePorts = async (count: number): Promise<number[]> => {
  const held: { port: number; release(): void }[] = [];
  for (let i = 0; held.length < count && i < COUNT; i++) {
    const found = await hold(FIRST + ((process.pid * 16 + i) % COUNT));
    if (found !== null) held.push(found);
  }
  for (const { release } of held) release();
  if (held.length < count)
    throw new LichenError('unavailable', `${held.length} ports of ${FIRST} to ${FIRST + COUNT - 1} are free, not ${count}`);
  return held.map(({ port }) => port);
};

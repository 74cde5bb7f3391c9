/** Ports that are free now, for processes whose address has to be known before they start. */
import { createServer } from 'node:net';

const freePort = (): Promise<{ port: number; release(): void }> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : 0, release: () => server.close() });
    });
  });

/** Held together until all are known, so that they differ. */
export const freePorts = async (count: number): Promise<number[]> => {
  const held = await Promise.all(Array.from({ length: count }, freePort));
  for (const { release } of held) release();
  return held.map(({ port }) => port);
};

/** How much more memory a board takes while it receives a release, on a way that is no hindrance. */
import { receive } from './received.ts';
import { Stage } from './stage.ts';

const TIMEOUT_MS = 240_000;

export const growth = async (mebibytes: number): Promise<{ grewMb: number; grewAnonymousMb: number; mbPerS: number }> => {
  const stage = new Stage('127.0.0.1', 28_950);
  try {
    await stage.open();
    const { data, child } = await stage.board('receiving board', [], 'dev');
    try {
      // What it takes for the first release of all is taken once.
      const first = stage.payload('first', 1024 * 1024);
      await stage.pushPayload(first);
      await stage.request('first', first);
      await receive(data, first, child.pid, TIMEOUT_MS);
      const payload = stage.payload('large', mebibytes * 1024 * 1024);
      await stage.pushPayload(payload);
      await stage.request('large', payload);
      const { bytes, seconds, grewBytes, grewAnonymousBytes } = await receive(data, payload, child.pid, TIMEOUT_MS);
      return { grewMb: grewBytes / 1e6, grewAnonymousMb: grewAnonymousBytes / 1e6, mbPerS: bytes / seconds / 1e6 };
    } finally {
      await child.end();
    }
  } finally {
    await stage.close();
  }
};

import { describe } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterAll } from 'vitest';
import { openLmdbStore } from '../../../runtime/adapters/lmdb-store.ts';
import { type Medium, storeContract } from '../../contract/store.ts';

const folder = mkdtempSync(join(tmpdir(), 'lichen-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const medium = (): Medium => {
  const path = join(folder, String(count++), 'store.mdb');
  return {
    open: (owner) => ({ store: openLmdbStore({ path, owner }), settle: () => {} }),
    close: async ({ store }) => store.close(),
    spoilSchema: async () => {
      const db = open<Buffer, string>({ path, encoding: 'binary', useVersions: true });
      db.transactionSync(() => db.put('store/schema', Buffer.from('2'), 1));
      await db.close();
    },
  };
};

describe('LMDB', () => storeContract({ medium }));

/** The dev engine: as whoever runs the tests, and when that is root also as nobody, the one it is made for. */
import { describe, it } from 'vitest';
import { partitionsContract } from '../../../contract/partitions.ts';
import { busyboxPath } from './root.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

if (busyboxPath() === null) {
  describe('partitions: dev', () => it.skip('needs a static /bin/busybox (apt-get install busybox-static)', () => undefined));
} else {
  partitionsContract({ name: `dev as ${isRoot ? 'root' : 'this user'}`, tier: 'dev', uid: null });
  if (isRoot) partitionsContract({ name: 'dev as nobody', tier: 'dev', uid: NOBODY });
}

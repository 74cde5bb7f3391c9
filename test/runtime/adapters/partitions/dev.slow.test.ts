/** The dev engine: as whoever runs the tests, and when that is root also as nobody, the one it is made for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { partitionsContract } from '../../../contract/partitions.ts';
import type { Bench } from './bench.ts';
import { busyboxPath } from './root.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** The shell that keeps the log is the last to end; on a busy machine long after the instance. */
const removal = (bench: () => Bench): void => {
  it('is over when nobody keeps the log of the instance any more', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'exit 0') });
    const late = spawn('sh', ['-c', 'sleep 0.4; :', 'lichen-reaper', `${bench().dataPath}/run/exits/${partition}`]);
    const ended = once(late, 'exit');
    await bench().life.do({ kind: 'remove', partition, data: true });
    expect(late.exitCode ?? (await Promise.race([ended, Promise.resolve(['it still runs'])]))[0]).toBe(0);
  });
};

if (busyboxPath() === null) {
  describe('partitions: dev', () => it.skip('needs a static /bin/busybox (apt-get install busybox-static)', () => undefined));
} else {
  partitionsContract({ name: `dev as ${isRoot ? 'root' : 'this user'}`, tier: 'dev', uid: null, more: removal });
  if (isRoot) partitionsContract({ name: 'dev as nobody', tier: 'dev', uid: NOBODY, more: removal });
}

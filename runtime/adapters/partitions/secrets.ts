/**
 * Secrets go from the runtime's memory into a file system in the partition's memory, between the moment at which the container
 * is made and the one at which anything of it runs: no path of the board leads there, and none of it is in the container's
 * configuration.
 */
import { chownSync, closeSync, constants, fchmodSync, openSync, writeSync } from 'node:fs';
import type { PartitionSpec } from '../../ports/partitions.ts';
import type { MountPoint } from './mount-points.ts';
import type { ProcessId } from './state.ts';

export const SECRETS_PATH = '/run/secrets';
export const SECRETS_POINT: MountPoint = { target: SECRETS_PATH, kind: 'directory' };

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

export const giveSecrets = ({ secrets }: PartitionSpec, first: ProcessId, uid: number): void => {
  for (const [name, content] of Object.entries(secrets)) {
    const path = `/proc/${first.pid}/root${SECRETS_PATH}/${name}`;
    const fd = openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o400);
    try {
      writeSync(fd, content);
      fchmodSync(fd, 0o400);
    } finally {
      closeSync(fd);
    }
    chownSync(path, uid, uid);
  }
};

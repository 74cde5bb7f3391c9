/** What the kernel counted of a board's own group, in which every partition's group lies: it keeps what those used that are gone. */
import { readFileSync } from 'node:fs';
import type { Layout } from '../../../../runtime/adapters/partitions/cgroup-layout.ts';
import { boardName } from '../../../../runtime/adapters/partitions/names.ts';

export const boardCpuMicros = (layout: Layout, board: string): bigint => {
  const group = `${layout.controllers.get('cpuacct')}/${boardName(board)}`;
  if (layout.version === 1) return BigInt(readFileSync(`${group}/cpuacct.usage`, 'utf8').trim()) / 1000n;
  return BigInt(/^usage_usec (\d+)/m.exec(readFileSync(`${group}/cpu.stat`, 'utf8'))?.[1] ?? 0);
};

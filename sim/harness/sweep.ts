/** Leaves the machine as it was found: the runtime itself takes its partitions away. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BoardSetup } from './board.ts';

export const removeInstances = async (runtime: string, setup: Pick<BoardSetup, 'data' | 'tier'>): Promise<void> => {
  const tier = setup.tier === null ? [] : ['--tier', setup.tier];
  await promisify(execFile)(process.execPath, [runtime, '--data', setup.data, '--evict', ...tier]);
};

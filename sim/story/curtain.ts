/** The end: every process is asked to end, every instance is taken away, and nothing may be left behind. */
import { leftovers } from '../harness/kernel.ts';
import { removeInstances } from '../harness/sweep.ts';
import type { Stage } from './stage.ts';

export const curtain = async (stage: Stage): Promise<void> => {
  for (const { process } of stage.boards.values()) await process.kill('SIGTERM');
  for (const { setup } of stage.boards.values()) await removeInstances(stage.runtime, setup);
  for (const { process } of stage.gateways) await process.kill('SIGTERM');
  stage.link.close();
  const names = stage.cast.boards.flatMap(({ board, data }) => [`lichen-${board.slice(0, 12)}`, data]);
  const left = leftovers(names);
  for (const what of left) stage.teller.say(`left behind: ${what}`);
  stage.teller.check(left.length === 0, 'no process, cgroup, mount or namespace is left behind');
};

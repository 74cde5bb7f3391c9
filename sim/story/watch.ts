/** After the story: the fleet stays up and is shown live, until Ctrl-C. */
import pc from 'picocolors';
import { pause } from '../harness/wait.ts';
import { boardsOf, instances, nameOfBoard, nameOfGateway, type Stage } from './stage.ts';

const REFRESH_MS = 1000;

const screen = async (stage: Stage): Promise<string[]> => {
  const [gateway] = stage.gateways;
  if (gateway === undefined) return [];
  const boards = (await boardsOf(gateway)).map(
    ({ board, here, home, offer }) =>
      `  ${nameOfBoard(stage, board).padEnd(8)} ${here ? pc.green('here') : pc.red('away')}  at ${nameOfGateway(stage, home?.gateway ?? '').padEnd(6)} tier ${offer?.tier ?? '?'}`,
  );
  const rows = (await instances(stage)).map(
    ({ name, index, board, report }) =>
      `  ${`${name}/${index}`.padEnd(16)} on ${nameOfBoard(stage, board).padEnd(8)} ${report?.state ?? '?'} ${report?.promise === 'held' ? pc.green('held') : pc.yellow(report?.promise ?? '?')}  ${report?.address ?? ''}`,
  );
  return [pc.bold('boards'), ...boards, pc.bold('instances'), ...(rows.length > 0 ? rows : ['  none'])];
};

/** Redraws on a terminal; elsewhere says once what there is. */
export const watch = async (stage: Stage, stop: Promise<void>): Promise<void> => {
  let stopped = false;
  void stop.then(() => {
    stopped = true;
  });
  process.stdout.write(`\n${stage.gateways.map(({ name, api }) => `${name}: ${api}/1/status`).join('\n')}\nCtrl-C ends everything.\n\n`);
  let drawn = 0;
  while (!stopped) {
    const lines = await screen(stage);
    if (process.stdout.isTTY) {
      process.stdout.write(`${drawn > 0 ? `\u001b[${drawn}A\u001b[0J` : ''}${lines.join('\n')}\n`);
      drawn = lines.length;
    } else if (drawn === 0) {
      process.stdout.write(`${lines.join('\n')}\n`);
      drawn = lines.length;
    }
    await Promise.race([pause(REFRESH_MS), stop]);
  }
};

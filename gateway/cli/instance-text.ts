/** One instance in words: its state, its promise, how it is reached. */
import type { Instance } from './answers.ts';
import { brief } from './output.ts';

export const instanceText = ({ name, index, lease, board, report, opened }: Instance): string => {
  const head = `${name}/${index} on board ${brief(board)}, lease ${lease}`;
  if (report === null) return `${head}: ${opened ? 'opened' : 'placed'}; only its home has heard more`;
  const why = report.detail === '' ? '' : ` (${report.detail})`;
  const lines = [
    `${head}: ${report.state}${why}, promise ${report.promise}, ${report.restarts} restarts`,
    ...(report.instead === null ? [] : [`  runs release ${report.instead}, to which it fell back`]),
    ...(report.address === null ? [] : [`  address ${report.address}`]),
    ...(report.connection === null ? [] : [`  connection ${report.connection}`]),
  ];
  return lines.join('\n');
};

/** Runs on a board at its start, when the first partition of its card says anything: `lichen-setup FOLDER DATA TOLD`. */
import { writeFileSync } from 'node:fs';
import { asLichenError, tell } from '../../runtime/protocol/errors.ts';
import { importFrom, linesOf } from './import.ts';

const [folder = '', data = '', toldPath = ''] = process.argv.slice(2);
try {
  const told = importFrom(folder, data);
  writeFileSync(toldPath, JSON.stringify(told));
  for (const line of linesOf(told)) process.stdout.write(`${line}\n`);
} catch (thrown) {
  const { says, why, next } = tell(asLichenError(thrown));
  process.stdout.write(`${says} ${why} ${next}\n`);
  process.exitCode = 1;
}

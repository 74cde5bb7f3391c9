/** Before all files of a run of tests: a folder of the run, by which each image is built once a run and not once a file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default (): (() => void) => {
  const run = mkdtempSync(join(tmpdir(), 'lichen-board-run-'));
  process.env.LICHEN_BOARD_RUN = run;
  return () => rmSync(run, { recursive: true, force: true });
};

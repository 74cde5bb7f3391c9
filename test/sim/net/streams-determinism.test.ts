/** The same seed gives the same bytes on every stream, in a fresh process and whatever else the machine has to do. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const RUN = fileURLToPath(new URL('stream-run.ts', import.meta.url));

const burners: ChildProcess[] = [];
beforeAll(() => {
  for (let i = 0; i < 2; i++)
    burners.push(
      spawn(process.execPath, ['-e', 'const t = process.hrtime.bigint(); while (process.hrtime.bigint() - t < 120_000_000_000n);'], {
        stdio: 'ignore',
      }),
    );
});
afterAll(() => {
  for (const burner of burners) burner.kill('SIGKILL');
});

interface Outcome {
  hash: string;
  heard: number;
  pieces: number;
}

const run = async (...words: string[]): Promise<Outcome> => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', RUN, ...words]);
  return JSON.parse(stdout) as Outcome;
};

test('two runs are the same to the last byte, and another seed is another run', async () => {
  const [one, two, other] = await Promise.all([run('a'), run('a'), run('b')]);
  expect(one.heard).toBeGreaterThan(100);
  expect(one.pieces).toBeGreaterThan(1000);
  expect(two).toEqual(one);
  expect(other.hash).not.toBe(one.hash);
}, 60_000);

test('a draw that does not come from the seed is caught, though every message has the same length', async () => {
  const [one, two] = await Promise.all([run('a', 'plant'), run('a', 'plant')]);
  expect([two.heard, two.pieces]).toEqual([one.heard, one.pieces]);
  expect(two.hash).not.toBe(one.hash);
}, 60_000);

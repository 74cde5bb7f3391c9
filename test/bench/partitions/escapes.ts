/** Hostile programs that the suites run, each marked as one: how many were held. Those that cannot be run here are none of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from '../measure.ts';
import { alone } from './stage.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const SUITES = ['crun', 'data', 'hostile', 'io', 'network', 'questions'].map(
  (name) => `test/runtime/adapters/partitions/${name}.slow.test.ts`,
);
const MARK = '[escape]';
const MOST_MS = 10 * 60_000;

export const escapes = (): Row[] => {
  const directory = mkdtempSync(join(tmpdir(), 'lichen-bench-'));
  try {
    const file = join(directory, 'escapes.json');
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', ...SUITES, '-t', '\\[escape\\]'];
    spawnSync(process.execPath, [...vitest, '--reporter', 'json', '--outputFile', file], { cwd: ROOT, stdio: 'ignore', timeout: MOST_MS });
    const report: { testResults: { assertionResults: { title: string; status: string }[] }[] } = JSON.parse(readFileSync(file, 'utf8'));
    const ran = report.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ title, status }) => title.includes(MARK) && (status === 'passed' || status === 'failed'));
    for (const { title, status } of ran) if (status === 'failed') process.stderr.write(`not held: ${title}\n`);
    return [
      alone('escapes_held', ran.filter(({ status }) => status === 'passed').length, 'hostile programs'),
      alone('escapes_total', ran.length, 'hostile programs'),
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

/** Suites over the engine of a board: skipped, with the reason, where it cannot be. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, type Subject } from './bench.ts';
import { remainsOf } from './driver.ts';
import { busyboxPath } from './root.ts';

export const onCrun = (name: string, suite: () => void, tools: string[] = []): void => {
  const needs = ['/usr/bin/crun', '/usr/bin/conmon', ...tools].filter((path) => !existsSync(path));
  if (process.getuid?.() !== 0) describe(name, () => it.skip('needs root: cgroups and namespaces of the machine', () => undefined));
  else if (busyboxPath() === null || needs.length > 0)
    describe(name, () => it.skip(`needs apt-get install crun conmon busybox-static, and ${needs.join(', ')}`, () => undefined));
  else suite();
};

/** A bench of its own, open while the suite runs, which leaves nothing behind. */
export const withBench = (more: Partial<Subject> = {}): (() => Bench) => {
  let bench: Bench | null = null;
  const current = (): Bench => {
    if (bench === null) throw new Error('the bench is not open');
    return bench;
  };
  beforeAll(async () => {
    bench = new Bench({ name: 'crun', tier: 'best', uid: null, ...more });
    await bench.open();
  });
  afterAll(async () => {
    const { board, dataPath } = current();
    await current().close();
    expect(remainsOf(board, dataPath, [])).toEqual([]);
  });
  return current;
};

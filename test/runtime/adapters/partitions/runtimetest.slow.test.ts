/**
 * `runtimetest` of github.com/opencontainers/runtime-tools inside a partition, on the configuration that the partition really has. No
 * registry has it built: LICHEN_RUNTIMETEST names one (docs/confinement.md says how it is made, and what it found).
 */
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Bench } from './bench.ts';
import { onCrun, withBench } from './on-crun.ts';

const PROGRAM = process.env.LICHEN_RUNTIMETEST;

/** No instance has a terminal; and of binds the program itself says that it cannot judge them yet. */
const KNOWN = [/\/dev\/ptmx \(default device\)$/, /# TODO /];

const said = async (bench: Bench, partition: string): Promise<string[]> => {
  let text = '';
  for (let from = 0; ; ) {
    const span = await bench.life.do({ kind: 'log', partition, from, tailBytes: 0, waitMs: 0, tag: '' });
    if (span.text === '') return text.split('\n').map((line) => line.replace(/^\S+ [oe][ +]/, ''));
    text += span.text;
    from = span.next;
  }
};

const suite = (program: string): void => {
  const bench = withBench();
  it('finds of the container what its configuration says [escape]', async () => {
    const inRoot = (source: string, name: string): void => {
      copyFileSync(source, join(bench().rootPath, name));
      chmodSync(join(bench().rootPath, name), 0o555);
    };
    inRoot(program, 'runtimetest');
    const partition = bench().partition();
    const spec = bench().spec(partition, '', { args: ['/runtimetest', '--path', '/'], limits: { memoryMib: 128, pids: 64, logKib: 1024 } });
    // The first start is for its configuration, which the second one has word for word.
    for (const last of [false, true]) {
      bench().life.unasked.length = 0;
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
      await bench().life.exited(partition);
      await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
      if (!last) inRoot(join(bench().dataPath, 'partitions', partition, 'bundle/config.json'), 'config.json');
    }
    const lines = await said(bench(), partition);
    expect(lines.filter((line) => line.startsWith('ok ')).length).toBeGreaterThan(300);
    expect(lines.filter((line) => line.startsWith('not ok ') && !KNOWN.some((one) => one.test(line)))).toEqual([]);
    await bench().end(partition);
  });
};

onCrun('runtimetest', () =>
  describe('of others', () => {
    if (PROGRAM === undefined) it.skip('needs LICHEN_RUNTIMETEST: a runtimetest to run', () => undefined);
    else suite(PROGRAM);
  }),
);

/** What a tenant's program says must not end the runtime that repeats it. */
import { expect, test } from 'vitest';
import { probedProgram } from '../../../runtime/adapters/partitions/probe.ts';
import { BoardWorld, placed } from '../../support/board-world.ts';
import { smallRelease } from '../../support/small-release.ts';

const ran = (stderr: string) =>
  probedProgram({ kind: 'exec', args: ['/bin/main'] }, { code: 1, stdout: '', stderr, timedOut: false }, 1000);

test('what is taken from the middle of a text is whole', () => {
  expect(ran(`${'😀'.repeat(150)}x`).detail.isWellFormed()).toBe(true);
});

test.each([
  ['begins with half a pair', `${'😀'.repeat(150)}x`.slice(-200)],
  ['is cut within one', `${'x'.repeat(199)}😀`],
  ['is cut within one a letter later', `${'x'.repeat(190)}😀`],
])('a promise that says what %s is reported as broken', (_name, says) => {
  const world = new BoardWorld().pair();
  const one = placed(world, { release: smallRelease() });
  world.assign(one).pass(5000);
  world.engine.probeSays = says;
  world.engine.probesOk = false;
  world.pass(60_000);
  expect(world.state(one.lease)).toMatchObject({ promise: 'broken' });
});

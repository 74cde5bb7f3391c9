/** The questions that others ask of a container, asked from inside a partition; docs/confinement.md says the same answers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCrun, withBench } from './on-crun.ts';
import { QUESTIONS } from './questions.ts';

const DOCUMENT = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'confinement.md');
const APPLETS = 'cat grep tr stat id ps fdisk find cut sort sed env ls touch head'.split(' ');

/** Every applet under its own name, as in a system that has them; one question a line of the answer. */
const asked = (): string => {
  const names = APPLETS.map((name) => `${name}() { busybox ${name} "$@"; }`).join('; ');
  const each = QUESTIONS.map(({ ask }, at) => `{ ${ask}; } 2> /dev/null | tr '\n' ' ' > /tmp/answer; echo "${at} $(cat /tmp/answer)"`);
  return `${names}\n{\n${each.join('\n')}\n} > /data/next; busybox mv /data/next /data/report; exec busybox sleep 1000`;
};

describe('docs/confinement.md', () =>
  it('has every question with its answer', () => {
    const rows = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| (amicontained|deepce|runtimetest) \| (.+) \| (.+) \|$/gm)];
    expect(rows.map(([, by, question, answer]) => [by, question, answer])).toEqual(
      QUESTIONS.map(({ by, question, answer }) => [by, question, answer]),
    );
  }));

onCrun('questions of others', () =>
  describe('from inside', () => {
    const bench = withBench();
    it('are answered as the table says [escape]', async () => {
      const partition = bench().partition();
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, asked()) });
      const answers = (await bench().report(partition, 'report', 20_000)).trimEnd().split('\n');
      const found = answers.map((line) => line.replace(/^\d+ /, '').trim());
      expect(QUESTIONS.map(({ by, question }, at) => [by, question, found[at]])).toEqual(
        QUESTIONS.map(({ by, question, answer }) => [by, question, answer]),
      );
      await bench().end(partition);
    });
  }),
);

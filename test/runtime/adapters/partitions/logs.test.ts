/** Rings, tails and copies of logs, with files in the place of a reaper. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepLog, keptLog, WearBudget } from '../../../../runtime/adapters/partitions/log-keep.ts';
import { fromConmon, fromPlain, linesFor } from '../../../../runtime/adapters/partitions/log-lines.ts';
import { LogRing } from '../../../../runtime/adapters/partitions/log-ring.ts';
import { type LogSource, LogTail } from '../../../../runtime/adapters/partitions/log-tail.ts';
import { LIMITS } from '../../../../runtime/protocol/limits.ts';
import { printable } from '../../../../runtime/protocol/printable.ts';

const AT = '2026-11-23T10:00:00.123Z';
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lichen-logs-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('a book', () => {
  it('is waited for also where nothing else is left to do, as when a runtime only takes partitions away', () => {
    const module = pathToFileURL(join(import.meta.dirname, '../../../../runtime/adapters/partitions/log-book.ts')).href;
    const program = `
      import { LogBook } from ${JSON.stringify(module)};
      const book = new LogBook({ directory: 'logs', keptPath: () => 'kept' });
      console.log(JSON.stringify(await book.lastLine('p', 50)));
      book.close();
    `;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: directory, encoding: 'utf8' });
    expect([ran.status, ran.stdout]).toEqual([0, '""\n']);
  });
});

describe('lines', () => {
  it.each([
    ['\u001b[2J\u0007', '\\x1b[2J\\x07'],
    ['a\tb', 'a\tb'],
    ['\u009b31m\u007f', '\\x9b31m\\x7f'],
    ['\u202egpj.exe', '\\u202egpj.exe'],
    ['\u061ca', '\\u061ca'],
    ['水 äß «ok»', '水 äß «ok»'],
  ])('%j is shown as %j, also when it is done twice', (said, shown) => {
    expect(printable(said)).toBe(shown);
    expect(printable(printable(said))).toBe(shown);
  });

  it('are what conmon wrote, with the zone of its clock', () => {
    const raw =
      '2026-11-23T10:00:00.123456789+00:00 stdout F one\n2026-11-23T11:00:00.123456789+01:00 stderr P two \n' +
      '2026-11-23T10:00:00.123456789+00:00 stdout F \nnot a line\n';
    expect(fromConmon(raw)).toBe(`${AT} o one\n${AT} e+two \n${AT} o \n`);
    expect(fromPlain('a\nb', AT)).toBe(`${AT} o a\n${AT} o+b\n`);
  });

  it('too long for one go on in the next, and each fits an answer whatever it is made of', () => {
    const lines = linesFor(AT, 'o', '\u0001'.repeat(10_000), false).trimEnd().split('\n');
    expect(lines.map((line) => line.charAt(26))).toEqual(['+', '+', ' ']);
    for (const line of lines) expect(line.length).toBeLessThan(LIMITS.logFrameBytes);
  });
});

describe('a ring', () => {
  const line = (i: number): Buffer => Buffer.from(`${AT} o line ${String(i).padStart(5, '0')}\n`);
  const LENGTH = line(0).length;

  it('keeps at least half of its size and never more than it, and says what is missing', () => {
    const ring = new LogRing(directory, 'p');
    for (let i = 0; i < 1000; i++) ring.append(line(i), 4096);
    expect(ring.end).toBe(1000 * LENGTH);
    expect(ring.end - ring.start).toBeGreaterThan(2048 - LENGTH);
    expect(readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)).toBeLessThanOrEqual(4096);
    const span = ring.read(0, 0, 1000);
    expect([span.from, span.missed]).toEqual([ring.start, ring.start]);
    expect(span.text.endsWith('\n')).toBe(true);
    expect(span.next).toBe(span.from + span.text.length);
    expect(ring.read(ring.end, 0, 1000)).toEqual({ from: ring.end, next: ring.end, missed: 0, text: '' });
    expect(ring.read(ring.end + 1, 0, 1000).from).toBe(ring.start);
    expect(ring.read(null, 60, 1000).text).toBe(String(line(999)));
  });

  it('is found again by the next life, from one position to the other', () => {
    const first = new LogRing(directory, 'p');
    for (let i = 0; i < 100; i++) first.append(line(i), 4096);
    const second = new LogRing(directory, 'p');
    expect([second.start, second.end]).toEqual([first.start, first.end]);
    second.append(line(100), 4096);
    expect(second.read(null, 60, 1000).text).toBe(String(line(100)));
    second.remove();
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('a tail', () => {
  const path = (): string => join(directory, 'raw');
  const make = (written: () => number | null = () => null) =>
    new LogTail({ form: 'plain', path: path, written }, join(directory, 'at'), '1-2');
  const looked = (tail: LogTail, how: 'look' | 'glance' = 'look'): { text: string; lost: number } => {
    const seen = { text: '', lost: 0 };
    tail[how](
      (raw) => {
        seen.text += raw;
      },
      (bytes) => {
        seen.lost += bytes;
      },
    );
    return seen;
  };

  it('takes each line once, also in its next life, and a line without an end once nothing follows', () => {
    const tail = make();
    expect(looked(tail)).toEqual({ text: '', lost: 0 });
    writeFileSync(path(), 'one\ntw');
    expect(looked(tail).text).toBe('one\n');
    appendFileSync(path(), 'o\nthr');
    expect(looked(tail).text).toBe('two\n');
    tail.close();
    const next = make();
    expect(looked(next).text).toBe('');
    expect(looked(next).text).toBe('thr');
    next.remove();
    expect(existsSync(join(directory, 'at'))).toBe(false);
  });

  it('is not looked for while it says nothing, and loses nothing by that', async () => {
    let asked = 0;
    const source: LogSource = {
      form: 'plain',
      path: () => {
        asked += 1;
        return path();
      },
      written: () => null,
    };
    const tail = new LogTail(source, join(directory, 'at'), '1-2');
    writeFileSync(path(), 'one\n');
    const heard: string[] = [];
    const glanced = async (): Promise<string> => {
      // What the kernel has told by now is heard.
      await pause(20);
      heard.push(looked(tail, 'glance').text);
      return heard.join('');
    };
    expect(await glanced()).toBe('one\n');
    await glanced();
    const before = asked;
    for (let i = 0; i < 3; i++) await glanced();
    expect(asked).toBe(before);
    appendFileSync(path(), 'two\n');
    await glanced();
    // The reaper begins another file, and writes to that.
    for (let i = 0; i < 3; i++) await glanced();
    renameSync(path(), `${path()}.old`);
    writeFileSync(path(), 'three\n');
    await glanced();
    expect(await glanced()).toBe('one\ntwo\nthree\n');
    appendFileSync(path(), 'last\n');
    // Over before anybody could ring: the end looks all the same.
    expect(looked(tail).text).toBe('last\n');
    tail.remove();
  });

  it('reads a file to its end that makes way for the next, and counts what it never saw [logs-6]', () => {
    let written = 6;
    const tail = make(() => written);
    writeFileSync(path(), 'first\n');
    looked(tail);
    appendFileSync(path(), 'rest\n');
    writeFileSync(`${path()}.new`, 'newest\n');
    renameSync(`${path()}.new`, path());
    written = 6 + 5 + 50_000 + 7;
    expect(looked(tail)).toEqual({ text: 'rest\nnewest\n', lost: 50_000 });
    expect(looked(tail)).toEqual({ text: '', lost: 0 });
    tail.close();
  });
});

describe('a copy on the card', () => {
  it('comes back as it was, and nothing else does', () => {
    const path = join(directory, 'log.gz');
    const text = Buffer.from(`${AT} o moin\n`);
    expect(keepLog(path, 1000, text, new WearBudget(directory), 5)).toBe(true);
    expect(keptLog(path)).toEqual({ start: 1000 - text.length, text });
    writeFileSync(path, 'no gzip');
    expect(keptLog(path)).toBeNull();
    expect(keptLog(join(directory, 'none'))).toBeNull();
  });

  it('costs of one budget a day, which a restart of the runtime does not renew [logs-7]', () => {
    const third = Math.floor(LIMITS.logWearBytesPerDay / 3);
    const budget = new WearBudget(directory);
    expect([1, 2, 3, 4].map(() => budget.spend(third, 1000))).toEqual([true, true, true, false]);
    expect(new WearBudget(directory).spend(third, 2000)).toBe(false);
    expect(new WearBudget(directory).spend(third, 86_400_000 + 1000)).toBe(true);
    const path = join(directory, 'log.gz');
    const spent = new WearBudget(directory);
    while (spent.spend(1024, 86_402_000));
    expect(keepLog(path, 10, Buffer.from('x'), spent, 86_403_000)).toBe(false);
    expect(existsSync(path)).toBe(false);
  });
});

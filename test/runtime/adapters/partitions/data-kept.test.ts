/** `/data` as a former release left it: kept and given back whole, wherever the power goes meanwhile. */
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { HANDS, type Hands, isData, keepData, orderData } from '../../../../runtime/adapters/partitions/data-kept.ts';
import type { KeptData } from '../../../../runtime/ports/partitions.ts';

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A partition's folder, with its data as they are or in a file. */
type Form = 'plain' | 'image';
const folder = (form: Form): string => {
  const directory = mkdtempSync(join(tmpdir(), 'lichen-kept-'));
  made.push(directory);
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'state.json'), '{}');
  say(directory, form, 'old');
  return directory;
};
const fileOf = (directory: string, form: Form): string => join(directory, form === 'plain' ? 'data/of' : 'data.img');
const say = (directory: string, form: Form, text: string): void => writeFileSync(fileOf(directory, form), text);
const said = (directory: string, form: Form): string => readFileSync(fileOf(directory, form), 'utf8');
const names = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.startsWith('data'))
    .sort();
const atRest = (form: Form): string[] => (form === 'plain' ? ['data'] : ['data', 'data.img']);

class PowerCut extends Error {}

/** The power goes before the n-th step; of a copy, half is there. */
const cutAt = (n: number): { hands: Hands; wasCut: () => boolean } => {
  let left = n;
  let cut = false;
  const step = (half: () => void = () => {}): void => {
    if (--left > 0) return;
    half();
    cut = true;
    throw new PowerCut();
  };
  const hands: Hands = {
    copy: async (from, to) => {
      step(() => (lstatSync(from).isDirectory() ? mkdirSync(to) : writeFileSync(to, 'ol')));
      await HANDS.copy(from, to);
    },
    rename: (from, to) => {
      step();
      HANDS.rename(from, to);
    },
    remove: (path) => {
      step();
      HANDS.remove(path);
    },
    sync: async (directory) => {
      step();
      await HANDS.sync(directory);
    },
    left: HANDS.left,
  };
  return { hands, wasCut: () => cut };
};

const orCut = async (work: Promise<void>): Promise<void> => {
  try {
    await work;
  } catch (thrown) {
    if (!(thrown instanceof PowerCut)) throw thrown;
  }
};

type Hooked = Parameters<typeof orderData>[1];

/** Whatever the next start asks for, with the power cut before each step in turn. */
const everyCut = async (
  form: Form,
  what: KeptData | Hooked,
  prepare: (directory: string) => Promise<void>,
  check: (directory: string) => Promise<void>,
) => {
  let cuts = 0;
  for (let n = 1; ; n++) {
    const directory = folder(form);
    await prepare(directory);
    const { hands, wasCut } = cutAt(n);
    await orCut(typeof what === 'string' ? keepData(directory, what, hands) : orderData(directory, what, hands));
    await check(directory);
    if (!wasCut()) return cuts;
    cuts++;
  }
};

describe.each<Form>(['plain', 'image'])('data that lie %s', (form) => {
  test('are kept once, and come back, wherever the power goes while they are kept', async () => {
    const cuts = await everyCut(
      form,
      'take',
      async () => {},
      async (directory) => {
        expect(said(directory, form)).toBe('old');
        // The newer one begins, and again after a crash; then the one before takes its place.
        await keepData(directory, 'take');
        say(directory, form, 'new');
        await keepData(directory, 'take');
        expect(said(directory, form)).toBe('new');
        await keepData(directory, 'return');
        expect([said(directory, form), names(directory)]).toEqual(['old', atRest(form)]);
      },
    );
    expect(cuts).toBeGreaterThan(3);
  });

  test('come back once, wherever the power goes while they do, and what is written then stays', async () => {
    const cuts = await everyCut(
      form,
      'return',
      async (directory) => {
        await keepData(directory, 'take');
        say(directory, form, 'new');
      },
      async (directory) => {
        // The survey of the next start, which knows of nothing.
        await keepData(directory, undefined);
        await keepData(directory, 'return');
        expect([said(directory, form), names(directory)]).toEqual(['old', atRest(form)]);
        say(directory, form, 'later');
        await keepData(directory, 'return');
        expect(said(directory, form)).toBe('later');
      },
    );
    expect(cuts).toBeGreaterThan(3);
  });

  test('are found by a hook as they were, however often it is cut, and kept for the way back by what it found [instances-31]', async () => {
    const cuts = await everyCut(
      form,
      { hook: 'after' },
      async (directory) => {
        // It has begun once and was cut.
        await orderData(directory, { hook: 'after' });
        say(directory, form, 'half');
      },
      async (directory) => {
        await keepData(directory, undefined);
        await orderData(directory, { hook: 'after' });
        expect(said(directory, form)).toBe('old');
        say(directory, form, 'new');
        await orderData(directory, { hooked: true });
        await keepData(directory, 'take');
        expect(said(directory, form)).toBe('new');
        await keepData(directory, 'return');
        expect([said(directory, form), names(directory)]).toEqual(['old', atRest(form)]);
      },
    );
    expect(cuts).toBeGreaterThan(6);
  });

  test('that a hook has put in order stay so, wherever the power goes while that is settled, and the older of two ways back stays', async () => {
    for (const older of [false, true]) {
      const cuts = await everyCut(
        form,
        { hooked: true },
        async (directory) => {
          if (older) await keepData(directory, 'take');
          say(directory, form, 'left');
          await orderData(directory, { hook: 'after' });
          say(directory, form, 'new');
        },
        async (directory) => {
          await orderData(directory, { hooked: true });
          expect(said(directory, form)).toBe('new');
          await keepData(directory, 'return');
          expect([said(directory, form), names(directory)]).toEqual([older ? 'old' : 'left', atRest(form)]);
        },
      );
      expect(cuts).toBeGreaterThan(2);
    }
  });

  test('are as a hook found them when it has failed, wherever the power goes, and before the way back', async () => {
    const cuts = await everyCut(
      form,
      {},
      async (directory) => {
        await orderData(directory, { hook: 'after' });
        say(directory, form, 'half');
      },
      async (directory) => {
        await orderData(directory, {});
        await keepData(directory, 'return');
        expect([said(directory, form), names(directory)]).toEqual(['old', atRest(form)]);
      },
    );
    expect(cuts).toBeGreaterThan(3);
  });

  test('come back before a hook puts them in order for a release that was never here, wherever the power goes', async () => {
    const back = { hook: 'after', kept: 'return' } as const;
    const cuts = await everyCut(
      form,
      back,
      async (directory) => {
        // Of the newer one the hook has ended well, and so has its program begun.
        await orderData(directory, { hook: 'after' });
        say(directory, form, 'new');
        await orderData(directory, { hooked: true, kept: 'take' });
        await orderData(directory, back);
        expect(said(directory, form)).toBe('old');
        say(directory, form, 'half');
      },
      async (directory) => {
        await orderData(directory, back);
        expect(said(directory, form)).toBe('old');
        say(directory, form, 'in order');
        for (let i = 0; i < 2; i++) await orderData(directory, { hooked: i === 0, kept: i === 0 ? 'drop' : 'return' });
        expect([said(directory, form), names(directory)]).toEqual(['in order', atRest(form)]);
      },
    );
    expect(cuts).toBeGreaterThan(6);
  });

  test('of a newer one that does are dropped behind it', async () => {
    const directory = folder(form);
    await keepData(directory, 'take');
    say(directory, form, 'new');
    expect(names(directory).every(isData)).toBe(true);
    expect(names(directory)).not.toEqual(atRest(form));
    await keepData(directory, 'drop');
    expect([said(directory, form), names(directory)]).toEqual(['new', atRest(form)]);
    await keepData(directory, 'return');
    expect(said(directory, form)).toBe('new');
  });
});

test('data without an end that a newer release puts into a file come back as they were', async () => {
  const directory = folder('plain');
  await keepData(directory, 'take');
  rmSync(fileOf(directory, 'plain'));
  say(directory, 'image', 'new');
  await keepData(directory, 'return');
  expect([said(directory, 'plain'), names(directory)]).toEqual(['old', ['data']]);
});

test('no room for what a hook finds is told, and nothing is touched [instances-31]', async () => {
  const directory = folder('plain');
  const full: Hands = { ...HANDS, left: () => BigInt(64 * 1024 * 1024) };
  await expect(orderData(directory, { hook: 'after' }, full)).rejects.toMatchObject({ code: 'storage-full' });
  expect([said(directory, 'plain'), names(directory)]).toEqual(['old', ['data']]);
});

test('links, modes, times and pipes are as they were', async () => {
  const directory = folder('plain');
  const at = (name: string): string => join(directory, 'data', name);
  symlinkSync('/etc/passwd', at('link'));
  execFileSync('mkfifo', [at('pipe')]);
  writeFileSync(at('secret'), 'x', { mode: 0o600 });
  utimesSync(at('secret'), 1, 2);
  await keepData(directory, 'take');
  rmSync(join(directory, 'data'), { recursive: true });
  mkdirSync(join(directory, 'data'));
  await keepData(directory, 'return');
  expect(readlinkSync(at('link'))).toBe('/etc/passwd');
  expect(lstatSync(at('pipe')).isFIFO()).toBe(true);
  expect([lstatSync(at('secret')).mode & 0o777, lstatSync(at('secret')).mtimeMs]).toEqual([0o600, 2000]);
});

test('no room for them is told, and nothing is touched [instances-28]', async () => {
  const directory = folder('plain');
  const full: Hands = { ...HANDS, left: () => BigInt(64 * 1024 * 1024) };
  await expect(keepData(directory, 'take', full)).rejects.toMatchObject({
    code: 'storage-full',
    message: expect.stringMatching(/1 MiB more are needed to keep \/data/),
  });
  expect([said(directory, 'plain'), names(directory)]).toEqual(['old', ['data']]);
});

import { afterEach, describe, expect, it, vi } from 'vitest';
import { Names, namesIn } from '../../../../runtime/adapters/partitions/resolve.ts';

const AGAIN_MS = 1_000;

describe('names', () => {
  afterEach(() => vi.useRealTimers());

  it('are known when they are wanted, asked again, and told when they mean something else', async () => {
    vi.useFakeTimers();
    let address = '192.0.2.1';
    let changes = 0;
    const names = new Names(
      async () => [address],
      async () => void changes++,
      AGAIN_MS,
    );
    await names.want(new Set(['a.example']));
    expect(names.known.get('a.example')).toEqual(['192.0.2.1']);
    await vi.advanceTimersByTimeAsync(3 * AGAIN_MS);
    expect(changes).toBe(0);
    address = '192.0.2.2';
    await vi.advanceTimersByTimeAsync(AGAIN_MS);
    expect([changes, names.known.get('a.example')]).toEqual([1, ['192.0.2.2']]);
    expect(names.former.get('a.example')).toEqual(['192.0.2.1']);
    address = '192.0.2.1';
    await vi.advanceTimersByTimeAsync(AGAIN_MS);
    expect(names.former.get('a.example')).toEqual(['192.0.2.2']);
    await names.want(new Set());
    expect([names.known.size, names.former.size]).toEqual([0, 0]);
    names.close();
  });

  it('are told again with the next question when whoever was told could not act on it, and then no more', async () => {
    vi.useFakeTimers();
    let address = '192.0.2.1';
    let calls = 0;
    let fails = 2;
    const changed = async (): Promise<void> => {
      calls++;
      if (fails-- > 0) throw new Error('busy');
    };
    const names = new Names(async () => [address], changed, AGAIN_MS);
    await names.want(new Set(['a.example']));
    address = '192.0.2.2';
    await vi.advanceTimersByTimeAsync(6 * AGAIN_MS);
    expect(calls).toBe(3);
    names.close();
  });

  it('keep what they meant while nobody answers, also from a life before', async () => {
    vi.useFakeTimers();
    let answers = false;
    const find = async (): Promise<string[]> => {
      if (!answers) throw new Error('no network');
      return ['192.0.2.9'];
    };
    let changes = 0;
    const names = new Names(find, async () => void changes++, AGAIN_MS);
    names.remember(namesIn('127.0.0.1 localhost\n192.0.2.1 a.example\n2001:db8::1 a.example\n'));
    await names.want(new Set(['a.example']));
    await vi.advanceTimersByTimeAsync(3 * AGAIN_MS);
    expect([changes, names.known.get('a.example')]).toEqual([0, ['192.0.2.1', '2001:db8::1']]);
    answers = true;
    await vi.advanceTimersByTimeAsync(AGAIN_MS);
    expect([changes, names.known.get('a.example')]).toEqual([1, ['192.0.2.9']]);
    names.close();
  });

  it('hold up no start for longer than a moment, and are told when they come late', async () => {
    vi.useFakeTimers();
    let found: (addresses: string[]) => void = () => {};
    let changes = 0;
    const names = new Names(
      () => new Promise((resolve) => (found = resolve)),
      async () => void changes++,
      60_000,
    );
    const wanted = names.want(new Set(['slow.example']));
    await vi.advanceTimersByTimeAsync(1_500);
    await wanted;
    expect(names.known.size).toBe(0);
    found(['192.0.2.3']);
    await vi.advanceTimersByTimeAsync(1);
    expect([changes, names.known.get('slow.example')]).toEqual([1, ['192.0.2.3']]);
    names.close();
  });
});

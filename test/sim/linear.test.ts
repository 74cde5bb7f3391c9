/** What a fleet costs grows as its boards do: counted in rows that are looked at, as seconds say nothing on a busy machine. */
import { expect, test, vi } from 'vitest';
import { Draft } from '../../runtime/turn/draft.ts';
import { runScenario } from '../../sim/run.ts';
import { Disk } from '../../sim/world/store.ts';
import { fixedLoad } from '../bench/sim-fixed-load.ts';

/** Before the first fault. */
const HOURS = 0.15;
const REPLICAS = 8;

/** Rows of all disks and volatile tables that were looked at in a run. */
const looksOf = async (boards: number): Promise<{ disks: number; memory: number }> => {
  const looks = { disks: 0, memory: 0 };
  const { get, range } = Disk.prototype;
  const { recallAll } = Draft.prototype;
  vi.spyOn(Disk.prototype, 'get').mockImplementation(function (this: Disk, key) {
    looks.disks++;
    return get.call(this, key);
  });
  vi.spyOn(Disk.prototype, 'range').mockImplementation(function (this: Disk, asked) {
    const rows = range.call(this, asked);
    looks.disks += 1 + rows.length;
    return rows;
  });
  vi.spyOn(Draft.prototype, 'recallAll').mockImplementation(function (this: Draft<unknown>, table) {
    const rows = recallAll.call(this, table);
    looks.memory += rows.size;
    return rows;
  });
  const report = await runScenario(fixedLoad(boards, HOURS, REPLICAS), {
    ...{ seed: 1, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path: 'load', seconds: () => 0 },
  });
  vi.restoreAllMocks();
  expect(report.violations).toEqual([]);
  return looks;
};

test('of four times as many boards each is no more work', async () => {
  const [few, many] = [await looksOf(20), await looksOf(80)];
  expect(many.disks / 80).toBeLessThanOrEqual(few.disks / 20);
  expect(many.memory / 80).toBeLessThanOrEqual(few.memory / 20);
});

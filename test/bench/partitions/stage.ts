/** What the benchmarks of partitions share: a board of their own, a small root, one life of a runtime. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLayout, type Layout } from '../../../runtime/adapters/partitions/cgroup-layout.ts';
import type { Counters, PartitionSpec } from '../../../runtime/ports/partitions.ts';
import { Life } from '../../runtime/adapters/partitions/driver.ts';
import { plantRoot } from '../../runtime/adapters/partitions/root.ts';
import type { Row } from '../measure.ts';

export const BOARD = 'benchbenchbenchbenchbenchbenchbe';
const LETTERS = 'abcdefghij';

export const partitionOf = (number: number): string =>
  String(number)
    .padStart(32, '0')
    .replaceAll(/\d/g, (digit) => LETTERS[Number(digit)] ?? 'a');

export const alone = (metric: string, value: number, unit: string): Row => ({ metric, value, unit, peer: null, peerValue: null });

export class Stage {
  readonly directory: string;
  readonly layout: Layout;
  readonly life: Life;

  private constructor(directory: string, layout: Layout, life: Life) {
    this.directory = directory;
    this.layout = layout;
    this.life = life;
  }

  /** Throws where partitions cannot be limited: what is measured there would not be what boards do. */
  static async open(): Promise<Stage> {
    const directory = mkdtempSync(join(tmpdir(), 'lichen-bench-'));
    for (const name of ['data', 'root']) mkdirSync(join(directory, name));
    chmodSync(directory, 0o755);
    await plantRoot(join(directory, 'root'), false);
    const layout = findLayout();
    const life = await Life.begin({ board: BOARD, dataPath: join(directory, 'data'), tier: 'best', prefix: [], namesMs: 60_000 });
    if (layout === null || life.enforcement.tier === 'dev') {
      await life.close();
      rmSync(directory, { recursive: true, force: true });
      throw new Error(`partitions cannot be measured here: ${life.enforcement.lacks.join(' ')}`);
    }
    return new Stage(directory, layout, life);
  }

  spec(partition: string, script: string): PartitionSpec {
    return {
      ...{ partition, rootPath: join(this.directory, 'root'), args: ['/bin/busybox', 'sh', '-c', script], env: { PATH: '/bin' } },
      ...{
        engine: 'none',
        parameters: '{}',
        network: null,
        devices: [],
        secrets: {},
        limits: { memoryMib: 64, cpuMillis: 1000, pids: 16, tmpMib: 1 },
      },
    };
  }

  /** Of a partition, on the card. */
  path(partition: string, ...names: string[]): string {
    return join(this.directory, 'data', 'partitions', partition, ...names);
  }

  text(partition: string, ...names: string[]): string {
    return readFileSync(this.path(partition, ...names), 'utf8');
  }

  touch(partition: string, name: string): void {
    writeFileSync(this.path(partition, 'data', name), '');
  }

  start(partition: string, script: string): Promise<{ address: string | null }> {
    return this.life.do({ kind: 'start', deadlineMonoMs: null, spec: this.spec(partition, script) });
  }

  /** The final counters. */
  async end(partition: string, data = true): Promise<Counters> {
    const { counters } = await this.life.do({ kind: 'stop', partition, graceMs: 0 });
    await this.life.do({ kind: 'remove', partition, data });
    return counters;
  }

  async close(): Promise<void> {
    await this.life.do({ kind: 'survey' });
    await this.life.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

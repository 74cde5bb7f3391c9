/**
 * What an image costs whoever downloads it, the board that it starts, and whoever builds it. Pi is the image that is built; what can be started
 * here with a clock beside it is the one for an Arm machine, by its own kernel, in emulation.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBeside } from '../../firmware-images/beside/beside.ts';
import { materialsOf } from '../../firmware-images/beside/materials.ts';
import { pi } from '../../firmware-images/boards/pi.ts';
import { type Built, buildImage } from '../../firmware-images/image.ts';
import { defaultCache } from '../../firmware-images/work.ts';
import { runtimeDelta } from './images/delta.ts';
import { startVirtual, type Virtual } from './images/virtual.ts';
import { type Measure, median, type Row } from './measure.ts';

/** One start differs from the next by a tenth, and by more where others are at work. */
const STARTS = 3;

const quiet = (): void => undefined;

interface Timed extends Built {
  seconds: number;
  downloadBytes: number;
}

/** All that `lichen image build` does. */
const timedBuild = async (cachePath: string, out: string): Promise<Timed> => {
  const started = performance.now();
  const built = await buildImage({ board: pi, cachePath, say: quiet }, out);
  const { image, sha256 } = built.report;
  const materials = materialsOf(built.parts.sources);
  const downloadBytes = await writeBeside({ board: pi, image, sha256, materials, keyPath: undefined, imager: undefined, say: quiet });
  return { ...built, downloadBytes, seconds: (performance.now() - started) / 1000 };
};

const row = (metric: string, value: number, unit: string): Row => ({ metric, value, unit, peer: null, peerValue: null });

export const measure: Measure = async () => {
  const home = mkdtempSync(join(tmpdir(), 'lichen-images-'));
  try {
    // Packages are there: a mirror's speed is not ours.
    await buildImage({ board: pi, cachePath: defaultCache(), say: quiet }, join(home, 'first'));
    const cachePath = join(home, 'cache');
    mkdirSync(cachePath);
    symlinkSync(join(defaultCache(), 'packages'), join(cachePath, 'packages'));
    const cold = await timedBuild(cachePath, join(home, 'out'));
    const warm = await timedBuild(cachePath, join(home, 'out'));
    const starts: Virtual[] = [];
    for (let start = 0; start < STARTS; start++) starts.push(await startVirtual(home));
    const usual = (figure: keyof Virtual): number => median(starts.map((start) => start[figure]));
    return [
      row('download_mb', cold.downloadBytes / 1e6, 'MB'),
      row('root_mb', cold.report.rootBytes / 1e6, 'MB'),
      row('idle_ram_mb', usual('idleRamMb'), 'MB'),
      row('virt_node_s', usual('nodeS'), 's'),
      row('virt_paired_s', usual('pairedS'), 's'),
      row('build_cold_s', cold.seconds, 's'),
      row('build_warm_s', warm.seconds, 's'),
      row('runtime_delta_kb', (await runtimeDelta(cold.parts.root, home)) / 1000, 'kB'),
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};

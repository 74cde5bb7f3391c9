/** Seeds of the swarm in processes of their own, and what is said of one that broke. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedLine } from './child.ts';
import { SWARM } from './world.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

const isSeedLine = (value: unknown): value is SeedLine =>
  typeof value === 'object' && value !== null && 'seed' in value && 'violations' in value;

/** Every `step`-th from `first` on, in one fresh process. */
export const runChild = (first: number, count: number, step = 1, planted = false): Promise<SeedLine[]> =>
  new Promise((settle, reject) => {
    const args = [CHILD, `${first}`, `${count}`, `${step}`, ...(planted ? ['planted'] : [])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    child.once('error', reject);
    child.once('close', (status) => {
      if (status !== 0) return reject(new Error(`seed ${first + out.split('\n').length * step - step} of the swarm: ${errors}`));
      const lines: unknown[] = out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      settle(lines.filter(isSeedLine));
    });
  });

/** `count` seeds from `first` on, spread over two processes. */
export const runSeeds = async (first: number, count: number): Promise<SeedLine[]> => {
  const halves = [runChild(first, Math.ceil(count / 2), 2), runChild(first + 1, Math.floor(count / 2), 2)];
  return (await Promise.all(halves)).flat().sort((a, b) => a.seed - b.seed);
};

/** One paragraph for each seed that broke something; empty when all held. */
export const complaintOf = (lines: SeedLine[]): string =>
  lines
    .filter(({ violations }) => violations.length > 0)
    .map(({ seed, violations }) => {
      const found = violations.map(({ code, atMs, who, what }) => `  ${code} at ${Math.round(atMs / 1000)} s, ${who}: ${what}`);
      return [`seed ${seed} broke; replay it with: lichen sim replay ${SWARM} --seed ${seed}`, ...found].join('\n');
    })
    .join('\n');

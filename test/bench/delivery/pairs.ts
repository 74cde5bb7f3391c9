/** Two versions each of real things that people put on boards, as folders side by side. Fetched by npm and apt, as a person would. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');

export interface Pair {
  name: string;
  old: string;
  new: string;
}

const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });

const npm = (spec: string, to: string): void => {
  mkdirSync(to, { recursive: true });
  const [file = ''] = run('npm', ['pack', spec, '--silent'], to).trim().split('\n').slice(-1);
  run('tar', ['xzf', file, '--strip-components=1'], to);
  rmSync(join(to, file));
};

/** The newest version of each package that the lists name, or the one before it. */
const debian = (packages: string[], age: 0 | 1, to: string): void => {
  const fetched = `${to}.debs`;
  mkdirSync(fetched, { recursive: true });
  mkdirSync(to, { recursive: true });
  for (const name of packages) {
    const versions = run('apt-cache', ['madison', name], fetched)
      .split('\n')
      .flatMap((line) => line.split('|')[1]?.trim() ?? []);
    const version = [...new Set(versions)][age];
    if (version === undefined) throw new Error(`the package lists know only one version of ${name}; run apt-get update`);
    run('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', `${name}=${version}`], fetched);
  }
  for (const file of readdirSync(fetched)) run('dpkg-deb', ['-x', join(fetched, file), to], fetched);
  rmSync(fetched, { recursive: true });
};

const edited = (home: string): Pair => {
  const pair = { name: 'one line of a bundle', old: join(home, 'line', 'old'), new: join(home, 'line', 'new') };
  for (const side of [pair.old, pair.new]) mkdirSync(side, { recursive: true });
  const out = join(pair.old, 'main.mjs');
  execFileSync(process.execPath, ['build.mjs', 'bundle', '--entry', 'runtime/main.ts', '--outfile', out], { cwd: root, stdio: 'ignore' });
  const text = readFileSync(out, 'utf8').split('\n');
  text.splice(Math.floor(text.length / 2), 0, 'globalThis.oneLineMore = true;');
  cpSync(pair.old, pair.new, { recursive: true });
  writeFileSync(join(pair.new, 'main.mjs'), text.join('\n'));
  return pair;
};

export interface Pairs {
  pairs: Pair[];
  /** Those that could not be had here, and why. */
  absent: { name: string; why: string }[];
}

export const pairsIn = (home: string): Pairs => {
  const found: Pairs = { pairs: [], absent: [] };
  const pair = (name: string, fill: (age: 0 | 1, to: string) => void): void => {
    const at = join(home, name.replaceAll(' ', '-'));
    const sides = { name, old: join(at, 'old'), new: join(at, 'new') };
    try {
      fill(1, sides.old);
      fill(0, sides.new);
      found.pairs.push(sides);
    } catch (thrown) {
      found.absent.push({ name, why: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  };
  pair('npm program prettier 3.5.2 to 3.5.3', (age, to) => npm(`prettier@3.5.${3 - age}`, to));
  pair('static binary esbuild 0.25.8 to 0.25.9', (age, to) => npm(`@esbuild/linux-x64@0.25.${9 - age}`, to));
  pair('Debian openssl and libssl3', (age, to) => debian(['openssl', 'libssl3'], age, to));
  return { ...found, pairs: [...found.pairs, edited(home)] };
};

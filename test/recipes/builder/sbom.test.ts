/** What a release says it is made of, and that neither the day nor the place where it is built stands in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildRelease } from '../../../recipes/builder/build.ts';
import type { Bundle } from '../../../recipes/builder/bundle.ts';
import { signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { PUBLISHER } from '../../support/federation.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-sbom-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(home, { recursive: true, force: true });
});

const YAML = `name: demo
label: 1
engine: node
args: [/usr/bin/node, /app/main.mjs]
limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 }
files:
  - { bundle: main.ts, to: app/main.mjs }
  - { from: elsewhere.mjs, to: app/elsewhere.mjs }
`;

const packaged = (folder: string, version: string | null, text: string): Record<string, string> => ({
  [`${folder}/package.json`]: JSON.stringify({ name: folder, type: 'module', main: 'index.js', ...(version !== null && { version }) }),
  [`${folder}/index.js`]: text,
});

const make = (name: string): Promise<Bundle> => {
  const files = {
    'recipe.yaml': YAML,
    'main.ts':
      "import { one } from 'one';\nimport { two } from '@some/two';\nimport { idle } from 'idle';\nconsole.log(one, two);\nif (false) idle();\n",
    'elsewhere.mjs': '// node_modules/three/index.js\nconsole.log(3);\n',
    ...packaged('node_modules/one', '1.2.3', "import { two } from '@some/two';\nexport const one = two + 'one';\n"),
    ...packaged('node_modules/one/node_modules/@some/two', '1.0.0-rc.1', "export const two = 'older two';\n"),
    ...packaged('node_modules/@some/two', '2.0.0', "export const two = 'two';\n"),
    ...packaged('node_modules/idle', '9.9.9', 'export const idle = () => {};\n'),
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name, file)), { recursive: true });
    writeFileSync(join(home, name, file), text);
  }
  const signer = signerFromSeed(new Uint8Array(32).fill(7));
  return buildRelease({ recipePath: join(home, name), publisherId: PUBLISHER, signer, sequence: 1, cachePath: join(home, 'cache') });
};

const librariesOf = ({ sbom }: Bundle): object[] => {
  const { components }: { components: { type: string }[] } = JSON.parse(Buffer.from(sbom ?? []).toString());
  return components.filter(({ type }) => type === 'library');
};

test('names every package that went into a bundle with its version, and none that did not', async () => {
  expect(librariesOf(await make('one'))).toEqual([
    { type: 'library', name: '@some/two', version: '1.0.0-rc.1', purl: 'pkg:npm/%40some/two@1.0.0-rc.1' },
    { type: 'library', name: '@some/two', version: '2.0.0', purl: 'pkg:npm/%40some/two@2.0.0' },
    { type: 'library', name: 'one', version: '1.2.3', purl: 'pkg:npm/one@1.2.3' },
    // Of what was bundled elsewhere there is no more than a name.
    { type: 'library', name: 'three', purl: 'pkg:npm/three' },
  ]);
});

test('is the same on another day, in another time zone', async () => {
  const on = async (day: string, zone: string): Promise<string[]> => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(day) });
    vi.stubEnv('TZ', zone);
    try {
      expect(new Date().toISOString()).toBe(day);
      const { manifest, sbom, pages, chunks } = await make(zone);
      return [hex(manifest), hex(sbom ?? new Uint8Array()), ...pages.keys(), ...chunks.keys()];
    } finally {
      vi.unstubAllEnvs();
    }
  };
  const first = await on('2026-01-31T23:30:00.000Z', 'UTC');
  expect(await on('2031-07-01T00:30:00.000Z', 'Pacific/Kiritimati')).toEqual(first);
  expect(await on('1999-12-31T12:00:00.000Z', 'America/St_Johns')).toEqual(first);
});

/** What a machine's files say that it is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { modelInFiles } from '../../../runtime/adapters/inventory.ts';

let system: string;
beforeEach(() => {
  system = mkdtempSync(join(tmpdir(), 'lichen-model-'));
});
afterEach(() => rmSync(system, { recursive: true, force: true }));

const BOARD = 'proc/device-tree/model';
const MAKER = 'sys/class/dmi/id/sys_vendor';
const PRODUCT = 'sys/class/dmi/id/product_name';

test.each([
  ['a board by its device tree', { [BOARD]: 'Raspberry Pi 3 Model B Rev 1.2\0' }, 'Raspberry Pi 3 Model B Rev 1.2'],
  ['a PC by its firmware', { [MAKER]: 'QEMU\n', [PRODUCT]: 'Standard PC (Q35 + ICH9, 2009)\n' }, 'QEMU Standard PC (Q35 + ICH9, 2009)'],
  ['a PC whose maker left a blank', { [MAKER]: 'To Be Filled By O.E.M.\n', [PRODUCT]: 'B450M\n' }, 'B450M'],
  ['nothing where both are blank', { [MAKER]: 'System manufacturer\n', [PRODUCT]: 'System Product Name\n' }, ''],
  ['nothing where there is none', {}, ''],
  ['no more than a line of it', { [BOARD]: 'x'.repeat(4096) }, 'x'.repeat(120)],
])('a machine calls itself: %s', (_what, files, expected) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(system, path)), { recursive: true });
    writeFileSync(join(system, path), text);
  }
  expect(modelInFiles(system)).toBe(expected);
});

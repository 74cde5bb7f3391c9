/**
 * What this machine calls itself, for people. Most say it in a file: boards in their device tree, PCs in the tables of their firmware.
 * Of others systeminformation may know, but once loaded it stays, at 10 MB, and takes as long as the rest of a start: so it is asked once, in
 * a process of its own, and the answer kept.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PATIENCE_MS = 10_000;
const TEXT_MAX = 120;
const UNKNOWN = 'unknown board';

/** In the process that asks: the only place where systeminformation is loaded. It is given no input from outside. */
export const readModel = async (): Promise<string> => {
  const { system } = await import('systeminformation');
  const { manufacturer, model } = await system();
  return `${manufacturer} ${model}`.trim().slice(0, TEXT_MAX);
};

/** What stands there where nobody filled it in. */
const BLANK = /to be filled|default string|^system (manufacturer|product)|^(unknown|none|not specified)?$/i;

const lineOf = (path: string): string => {
  try {
    const text = readFileSync(path, 'utf8').replaceAll('\0', '').trim();
    return BLANK.test(text) ? '' : text;
  } catch {
    return '';
  }
};

/** Empty where no file says it. */
export const modelInFiles = (system = '/'): string => {
  const board = lineOf(join(system, 'proc/device-tree/model'));
  if (board !== '') return board.slice(0, TEXT_MAX);
  const [maker, product] = ['sys_vendor', 'product_name'].map((name) => lineOf(join(system, 'sys/class/dmi/id', name)));
  return product === '' ? '' : `${maker} ${product}`.trim().slice(0, TEXT_MAX);
};

/** Never fails: a board that cannot say what it is works all the same. */
export const boardModel = async (dataPath: string): Promise<string> => {
  const said = modelInFiles();
  if (said !== '') return said;
  const kept = join(dataPath, 'model.txt');
  if (existsSync(kept)) return readFileSync(kept, 'utf8').slice(0, TEXT_MAX);
  const [, entry = ''] = process.argv;
  const model = await new Promise<string>((resolve) => {
    execFile(process.execPath, [entry, '--inventory'], { timeout: PATIENCE_MS }, (error, stdout) =>
      resolve(error === null ? stdout.trim() : ''),
    );
  });
  if (model !== '') writeFileSync(kept, model);
  return model === '' ? UNKNOWN : model;
};

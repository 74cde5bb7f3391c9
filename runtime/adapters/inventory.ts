/**
 * What this machine calls itself, for people. systeminformation knows many boards, but once loaded it stays, at 10 MB:
 * so it is asked once, in a process of its own, and the answer kept.
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

/** Never fails: a board that cannot say what it is works all the same. */
export const boardModel = async (dataPath: string): Promise<string> => {
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

/** What takes the setup, loaded into a Node that has something else to do, and asked by a pipe. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SETUP = join(import.meta.dirname, '../../../firmware-images/setup/main.ts');

let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-beside-'));
  for (const name of ['card', 'data']) mkdirSync(at(name));
  execFileSync('mkfifo', [at('asked'), at('answers')]);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Asks by one line. What came back, and what the other program said by then. */
const ask = async (line: string): Promise<{ answer: string[]; code: unknown; said: string }> => {
  const url = pathToFileURL(SETUP);
  url.searchParams.set('asked', at('asked'));
  url.searchParams.set('answers', at('answers'));
  const child = spawn(process.execPath, ['--import', url.href, '-e', "process.stdout.write('the other began')"], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'close');
  const asked = await open(at('asked'), 'w');
  await asked.write(`${line}\n`);
  const answer = (await readFile(at('answers'), 'utf8')).split('\n');
  await asked.close();
  const [code] = await ended;
  return { answer, code, said };
};

test('takes what lies there, answers line by line, the last is a dot, and lets the other go on', async () => {
  writeFileSync(join(at('card'), 'lichen.json'), '{"hostname": "beech"}');
  writeFileSync(join(at('card'), 'network-config'), 'version: 2\nwifis: {');
  const { answer, code, said } = await ask(`${at('card')} ${at('data')} ${at('told.json')}`);
  expect(answer).toEqual(['imported: hostname', expect.stringMatching(/^network-config is not YAML/), '.', '']);
  expect(JSON.parse(readFileSync(at('told.json'), 'utf8'))).toMatchObject({ imported: ['hostname'] });
  expect(readFileSync(join(at('data'), 'hostname'), 'utf8')).toBe('beech\n');
  expect(existsSync(join(at('card'), 'lichen.json'))).toBe(false);
  expect([code, said]).toEqual([0, 'the other began']);
});

test('where there is nothing to be taken it answers that alone, and holds nobody up', async () => {
  expect(await ask('')).toEqual({ answer: ['.', ''], code: 0, said: 'the other began' });
});

test('what it cannot keep it tells, and ends nobody', async () => {
  writeFileSync(join(at('card'), 'lichen.json'), '{"hostname": "beech"}');
  const { answer, code } = await ask(`${at('card')} ${at('card')}/lichen.json/none ${at('told.json')}`);
  expect(answer).toEqual([expect.stringMatching(/./), '.', '']);
  expect(code).toBe(0);
  expect(existsSync(join(at('card'), 'lichen.json'))).toBe(true);
});

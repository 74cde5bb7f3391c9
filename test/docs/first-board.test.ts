/** The loopback part of docs/first-board.md, run as a person pastes it: in one shell, in order, in an empty folder. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { freePorts } from '../../sim/harness/ports.ts';
import { removeInstances } from '../../sim/harness/sweep.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'lichen-first-board-'));
const page = readFileSync(join(root, 'docs/first-board.md'), 'utf8');
const loopback = page.slice(page.indexOf('\n## On one machine'), page.indexOf('\n## A real board'));
const commands = [...loopback.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');

/** A shell with jobs, as at a terminal; what it has started ends with it, also when a command fails. */
const PREFACE = `set -eum
trap 'status=$?; for job in $(jobs -p); do kill -TERM -- -$job 2> /dev/null || true; done; wait; exit $status' EXIT
trap 'exit 143' TERM
`;
/** A minute on a machine with nothing else to do; each command is three starts of Node. */
const PATIENCE_MS = 15 * 60_000;

const shell = (script: string): Promise<{ status: number | null; said: string }> =>
  new Promise((resolve, reject) => {
    const { npm_lifecycle_event: _, INIT_CWD: __, ...env } = process.env;
    const child = spawn('bash', [script], { cwd: dir, env: { ...env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => (said += part));
    const late = setTimeout(() => child.kill('SIGTERM'), PATIENCE_MS - 60_000);
    child.once('error', reject);
    child.once('close', (status) => {
      clearTimeout(late);
      resolve({ status, said });
    });
  });

/** Processes that stand in the folder or below. */
const left = (): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(dir);
    } catch {
      return false;
    }
  });

afterAll(async () => {
  const data = join(dir, 'first-board/beech');
  if (existsSync(data)) await removeInstances(join(root, 'runtime/main.ts'), { data, tier: 'dev' });
  rmSync(dir, { recursive: true, force: true });
});

test(
  'from an empty folder to an audited bill, word by word',
  async () => {
    const [door = 0, api = 0] = await freePorts(2);
    const text = commands
      .join('\n')
      .replace('LICHEN=~/lichen', `LICHEN='${root}'`)
      .replaceAll('127.0.0.1:8883', `127.0.0.1:${door}`)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${api}`);
    const script = join(dir, 'pasted.sh');
    writeFileSync(script, PREFACE + text);
    const { status, said } = await shell(script);
    expect({ status, said }).toMatchObject({ status: 0 });
    expect(said).toMatch(/^hello\/0 +running +held /m);
    expect(said).toContain('I say moin');
    expect(said).toContain('I now say hello');
    expect(said).toMatch(/invoice +tenant \w+ pays 0\.\d*[1-9]\d* XTS/);
    expect(said).toContain('The statement is what the evidence gives, bit for bit.');
    // The shell waits for npm, which may end before the gateway that it was told to stop has closed its store.
    await expect.poll(left, { timeout: 30_000 }).toEqual([]);
  },
  PATIENCE_MS,
);

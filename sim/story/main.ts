/** `npm start`: the main job from end to end, with real processes, sockets and partitions. Nothing here is simulated. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { asLichenError, refuse, tell } from '../../runtime/protocol/errors.ts';
import { killAll } from '../harness/processes.ts';
import { curtain } from './curtain.ts';
import { play } from './play.ts';
import { openStage } from './stage.ts';
import { openTeller } from './tell.ts';
import { watch } from './watch.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const OPTIONS = {
  once: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  keep: { type: 'string' },
  tier: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

const HELP = `npm start -- [--once] [--json] [--keep DIR] [--tier dev]

  --once      plays the story to its end and exits: 0 only if everything in it held
  --json      the last line of stdout is one JSON object
  --keep DIR  leaves there everything needed to recompute the bill (docs/keep.md)
  --tier dev  without root's means, even for root
`;

/** The roots of releases are read-only directories: without root's powers nothing in them can be removed before that is changed. */
const removeAll = (dir: string): void => {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700);
  rmSync(dir, { recursive: true });
};

/** Before anything is begun that would have to be ended. */
const makeFolder = (path: string): void => {
  try {
    mkdirSync(path, { recursive: true });
  } catch {
    refuse('bad-usage', `--keep ${path} cannot be made`, 'Name a folder that is there, or can be.');
  }
};

type Values = ReturnType<typeof parse>;
const parse = () => parseArgs({ options: OPTIONS, strict: true }).values;

const run = async (values: Values): Promise<number> => {
  const startedMs = performance.now();
  const teller = openTeller(values.json, startedMs);
  const keep = values.keep === undefined ? null : resolve(process.env.INIT_CWD ?? process.cwd(), values.keep);
  if (keep !== null) makeFolder(keep);
  const dir = mkdtempSync(join(tmpdir(), 'lichen-story-'));
  const stage = await openStage(dir, join(ROOT, 'dist', 'lichen-runtime.mjs'), teller);
  let stopAsked: (() => void) | null = null;
  const asked = new Promise<void>((done) => {
    stopAsked = done;
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopAsked?.());
  const seconds = (): number => Math.round((performance.now() - startedMs) / 10) / 100;
  let result: Record<string, unknown> = {};
  try {
    const told = play(stage, { root: ROOT, tier: values.tier === 'dev' ? 'dev' : null, keep, once: values.once });
    const ended = await Promise.race([told, asked.then(() => null)]);
    result = ended ?? { interrupted: true };
    if (ended === null) teller.check(false, 'interrupted');
    else if (!values.once) await watch(stage, asked);
  } catch (thrown) {
    const { says, why, next } = tell(asLichenError(thrown));
    teller.check(false, `${says} ${why} ${next}`);
  }
  await curtain(stage);
  const ok = teller.failed().length === 0;
  if (ok) removeAll(dir);
  else teller.say(`logs and stores are left in ${dir}`);
  const line = {
    ok,
    setupSeconds: Number(process.env.LICHEN_SETUP_SECONDS ?? 0),
    seconds: seconds(),
    ...result,
    failed: teller.failed(),
    keep,
  };
  if (values.json) process.stdout.write(`${JSON.stringify(line)}\n`);
  return ok ? 0 : 1;
};

process.on('exit', killAll);
try {
  const values = parse();
  if (values.help) process.stdout.write(HELP);
  else process.exitCode = await run(values);
} catch (thrown) {
  process.stderr.write(`${asLichenError(thrown).detail}\n${HELP}`);
  process.exitCode = 64;
}

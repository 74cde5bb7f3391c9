#!/usr/bin/env node
/**
 * Bootstrap and task runner: plain JavaScript that any Node >= 20 runs with nothing installed.
 *
 *   node build.mjs <task> [arguments...]
 *
 * Everything this file says goes to stderr; stdout belongs to the task.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const modules = join(root, 'node_modules');
const stampPath = join(modules, '.lichen-setup.json');
const boardVitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/board/vitest.config.ts'];
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];

/** `system`: the task starts partitions or traces them, so the machine's packages are looked after as well; `board`: it boots images. */
const tasks = {
  setup: { system: true, help: 'install what is missing, and nothing else', run: () => 0 },
  start: { system: true, help: 'bundle, then run the story: a fleet from pairing to invoice', run: start },
  test: { system: true, help: 'run every test', run: (args) => runNode([...vitest, ...args]) },
  'test:board': { board: true, help: 'run the tests that boot the image in QEMU', run: (args) => runNode([...boardVitest, ...args]) },
  check: { system: true, help: 'types, lint, format, layers and unit tests: before each commit', run: check },
  bench: { system: true, help: 'measure: bench <name> [--json] [--curve]', run: (args) => runNode(['test/bench/main.ts', ...args]) },
  'sim:nightly': { help: 'hostile seeds [--minutes 120]', run: (args) => runNode(['test/sim/nightly/main.ts', ...args]) },
  lichen: { help: 'the command line, from source', run: lichen },
  'lichen-runtime': {
    help: "the board's runtime, from source",
    run: (args) => runNode(['--optimize-for-size', '--no-separate-gc-phases', join(root, 'runtime/main.ts'), ...args], callerDirectory()),
  },
  bundle: { help: 'write dist/: --arch x64|arm64, or --entry <file> --outfile <file>', run: bundle },
  format: {
    help: 'rewrite the sources in the one format',
    run: (args) => runNode(['node_modules/@biomejs/biome/bin/biome', 'check', '--write', ...(args.length > 0 ? args : ['.'])]),
  },
};

async function main() {
  const [name, ...args] = process.argv.slice(2);
  const task = Object.hasOwn(tasks, name ?? '') ? tasks[name] : undefined;
  if (!task) {
    const rows = Object.entries(tasks).map(([task, { help }]) => `  ${task.padEnd(16)}${help}`);
    say(`usage: node build.mjs <task> [arguments...]\n\n${rows.join('\n')}`);
    return name === undefined || name === 'help' || name === '--help' ? 0 : 64;
  }
  installPackages();
  if (task.system) installSystemPackages(systemPackages);
  if (name === 'bench') installSystemPackages(benchPackages[args[0]] ?? []);
  if (task.board) installSystemPackages([...imagePackages, ...boardPackages]);
  else if (name === 'lichen' && args[0] === 'image') installSystemPackages(imagePackages);
  process.env.LICHEN_SETUP_SECONDS ??= (performance.now() / 1000).toFixed(3);
  return await task.run(args);
}

// ---- set-up ---------------------------------------------------------------------------------------------------------------------

function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (readJson(stampPath)?.lock === lock && existsSync(pinnedNodePath())) return;
  if (!isInstalled()) {
    say('set-up: installing the packages that package-lock.json pins (npm ci)');
    // Install scripts are not needed (every native part comes as a package of its own), so none is run.
    const words = 'ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund --no-update-notifier --loglevel=error';
    const [command, ...prefix] = npmCommand();
    const done = spawnSync(command, [...prefix, ...words.split(' ')], { cwd: root, stdio: ['ignore', 2, 2] });
    if (done.status !== 0) throw new Failure(`npm ci failed${done.error ? `: ${done.error.message}` : ''}; the lines above say why.`, 69);
  }
  writeFileSync(stampPath, `${JSON.stringify({ lock })}\n`);
}

/** True when `npm install` or an earlier `npm ci` already left exactly the locked packages behind. */
function isInstalled() {
  const locked = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const present = readJson(join(modules, '.package-lock.json'))?.packages;
  if (!present || !existsSync(pinnedNodePath())) return false;
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === '') return true;
    const found = present[path];
    // What another processor or system needs is locked too, and rightly absent.
    return found ? found.version === wanted.version && found.integrity === wanted.integrity : wanted.optional === true;
  });
}

/** The npm that called us, else the one on PATH. Its own Node is used: `npm ci` removes the pinned one while it runs. */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  if (script && node && basename(script) === 'npm-cli.js' && !realOrSame(node).startsWith(modules)) return [node, script];
  const path = (process.env.PATH ?? '').split(delimiter).filter((part) => !part.startsWith(modules));
  process.env.PATH = path.join(delimiter);
  return ['npm'];
}

function pinnedNodePath() {
  const path = join(modules, `node-linux-${process.arch}`, 'bin', 'node');
  // Elsewhere than on Linux there is no pinned package: a Node of the same or a later line has to be there.
  return process.platform === 'linux' ? path : process.execPath;
}

function pinnedNode() {
  const path = pinnedNodePath();
  const isPinned = path !== process.execPath || process.platform === 'linux';
  if (!isPinned && Number.parseInt(process.versions.node, 10) < 24) throw new Failure('Node 24 or later is needed on this system.', 69);
  return path;
}

const systemPackages = [
  { name: 'crun', binary: 'crun', why: 'runs partitions' },
  { name: 'conmon', binary: 'conmon', why: 'keeps a partition alive while the runtime restarts' },
  { name: 'iproute2', binary: 'ip', why: 'gives a partition its own network' },
  { name: 'nftables', binary: 'nft', why: 'keeps a partition from reaching the board' },
  // Only where there is no busybox at all: the package replaces the dynamically linked one, which a machine may boot with.
  { name: 'busybox-static', binary: 'busybox', why: 'is what runs inside the test partitions' },
  { name: 'chromium', binary: 'chromium', why: 'is where the tests look at the timeline' },
  { name: 'strace', binary: 'strace', why: 'lets the tests cut the power between two writes' },
];

const imagePackages = [
  { name: 'erofs-utils', binary: 'mkfs.erofs', why: "packs an image's root" },
  { name: 'mtools', binary: 'mcopy', why: 'fills the partition that the firmware reads' },
  { name: 'dosfstools', binary: 'mkfs.vfat', why: 'makes that partition' },
  { name: 'fdisk', binary: 'sfdisk', why: 'writes partition tables' },
  { name: 'kmod', binary: 'depmod', why: 'lists kernel modules' },
  { name: 'xz-utils', binary: 'xz', why: 'unpacks them' },
];

const boardPackages = [
  { name: 'qemu-system-x86', binary: 'qemu-system-x86_64', why: 'is the board' },
  { name: 'ovmf', binary: '/usr/share/OVMF/OVMF_CODE_4M.fd', why: 'is its firmware' },
  { name: 'qemu-system-arm', binary: 'qemu-system-aarch64', why: 'is the Arm boards' },
  { name: 'qemu-efi-aarch64', binary: '/usr/share/AAVMF/AAVMF_CODE.fd', why: 'is firmware for Arm' },
  { name: 'busybox-static', binary: 'busybox', why: 'is the wire between it and this machine' },
];

/** Those that a benchmark measures against, or with. */
const benchPackages = {
  images: [...imagePackages, ...boardPackages],
  partitions: [...imagePackages, ...boardPackages],
  delivery: [
    { name: 'rsync', binary: 'rsync', why: 'is what an update is held against' },
    { name: 'casync', binary: 'casync', why: 'likewise' },
    { name: 'zstd', binary: 'zstd', why: 'likewise' },
    { name: 'util-linux', binary: 'taskset', why: 'gives server and clients a processor each' },
    { name: 'python3', binary: 'python3', why: 'is the line that delays and loses packets' },
  ],
};

function installSystemPackages(wanted) {
  const missing = wanted.filter(({ binary }) => !(isAbsolute(binary) ? existsSync(binary) : isOnPath(binary)));
  if (missing.length === 0 || process.platform !== 'linux') return;
  const names = missing.map(({ name }) => name);
  const why = missing.map(({ name, why }) => `${name} (${why})`).join(', ');
  const install = ['install', '-y', '--no-install-recommends', ...names];
  const byHand = `apt-get update && apt-get ${install.join(' ')}`;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync('/etc/debian_version')) {
    say(`set-up: going on without ${why}. ${isRoot ? 'On Debian' : 'To install'}: sudo sh -c '${byHand}'`);
    return;
  }
  say(`set-up: installing Debian packages: ${why}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const isDone = [['update'], install].every((words) => {
    const options = ['-qq', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20', '-o', 'Dpkg::Use-Pty=0'];
    return spawnSync('apt-get', [...options, ...words], { stdio: ['ignore', 2, 2], env: environment }).status === 0;
  });
  if (!isDone) say(`set-up: that failed; going on without. To try by hand: ${byHand}`);
}

function isOnPath(binary) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return directories.some((directory) => directory !== '' && existsSync(join(directory, binary)));
}

// ---- tasks ----------------------------------------------------------------------------------------------------------------------

async function start(args) {
  const status = await bundle([]);
  return status === 0 ? await runNode(['sim/story/main.ts', ...args]) : status;
}

function lichen(args) {
  // Half the time of a short command is what Node makes of the sources, so that is kept for the next one.
  process.env.NODE_COMPILE_CACHE ??= join(modules, '.cache', 'compile');
  return runNode([join(root, 'gateway/lichen.ts'), ...args], callerDirectory());
}

async function check() {
  // Half the tries of properties (test/support/properties.ts), and of the projects of tests (test/vitest.config.ts) what is pure, with a few seeds of
  // the simulator: `npm test` has all.
  Object.assign(process.env, { LICHEN_RUNS: '0.5', NO_COLOR: '1', ...process.env });
  const steps = [
    [
      'types',
      ['node_modules/typescript/bin/tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', join(modules, '.vite/check.tsbuildinfo')],
    ],
    ['lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
    ['tests', [...vitest, '--project', 'pure', '--project', 'short', '--reporter', 'dot']],
  ];
  const results = await Promise.all(
    steps.map(async ([name, command]) => {
      const { status, output } = await capture(command);
      say(status === 0 ? `ok   ${name}` : `FAIL ${name}\n${output.trimEnd()}`);
      return status;
    }),
  );
  say(`check took ${process.uptime().toFixed(1)} s`);
  return results.every((status) => status === 0) ? 0 : 1;
}

/** Where the person stands: npm moves to the project's root and leaves the former place in INIT_CWD. */
function callerDirectory() {
  return process.env.npm_lifecycle_event ? (process.env.INIT_CWD ?? process.cwd()) : process.cwd();
}

/**
 * Runs the pinned Node in the foreground and answers with its exit status (128 + n when signal n ended it).
 * Ctrl-C reaches the child through the terminal's process group, so it is not sent on a second time from a terminal.
 */
function runNode(args, cwd = root) {
  return new Promise((settle, reject) => {
    const child = spawn(pinnedNode(), args, { cwd, stdio: 'inherit' });
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    child.once('error', reject);
    child.once('exit', (code, signal) => settle(exitStatus(code, signal)));
  });
}

function capture(args) {
  return new Promise((settle, reject) => {
    const child = spawn(pinnedNode(), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', reject);
    child.once('close', (code, signal) => settle({ status: exitStatus(code, signal), output }));
  });
}

function exitStatus(code, signal) {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
  return signal ? 128 + (numbers[signal] ?? 0) : (code ?? 70);
}

// ---- bundle ---------------------------------------------------------------------------------------------------------------------

/** Each program as one file that needs nothing beside it but Node. */
const programs = [
  { entry: 'runtime/main.ts', outfile: 'dist/lichen-runtime.mjs' },
  { entry: 'gateway/lichen.ts', outfile: 'dist/lichen.mjs' },
];

async function bundle(args) {
  // The addon is packed with zstd, which Node has from version 22.15 on.
  if (Number.parseInt(process.versions.node, 10) < 24) return await runNode(['build.mjs', 'bundle', ...args]);
  const arch = option(args, '--arch') ?? process.arch;
  const entry = option(args, '--entry');
  const outfile = option(args, '--outfile');
  if (!entry !== !outfile) throw new Failure('--entry and --outfile go together.', 64);
  const wanted = entry ? [{ entry, outfile }] : programs.filter((program) => existsSync(join(root, program.entry)));
  const { bundlePrograms } = await import('./firmware-images/bundle.ts');
  const made = await bundlePrograms({ root, arch, wanted, minify: args.includes('--minify') });
  for (const { path, bytes } of made) say(`bundle: ${path} ${(bytes / 1024).toFixed(0)} KiB`);
  // For the list of what an image is made of.
  const carries = option(args, '--carries');
  if (carries) writeFileSync(carries, JSON.stringify(made.flatMap((one) => one.carries)));
  return 0;
}

// ---- small things ---------------------------------------------------------------------------------------------------------------

/** What a person can act on, with the status to leave with (sysexits.h); anything else that is thrown is a defect. */
class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

function option(args, name) {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function realOrSame(path) {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Failure) && error.name !== 'LichenError') throw error;
  say(`build: ${error.message}`);
  process.exitCode = error.status ?? 69;
}

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** What decides without touching the world: modules are evaluated anew for each file, and of a process there is no state to share. */
const PURE = [
  'test/runtime/{protocol,turn,core,agent}/**/*.test.ts',
  'test/gateway/{core,service}/**/*.test.ts',
  'test/sim/{scenario,hardware,oracle,report,world}/**/*.test.ts',
];
/** Many tries of one thing, which take longer than all else that is pure. */
const HUNTS = ['test/**/*.property.test.ts', 'test/gateway/service/touched.test.ts'];
/** The shape of the tree, what documents and mutants say of it, and a few seeds of the swarm: with what is pure, what a commit is looked at for (`npm run check`, a minute). */
const SHORT = ['test/tidy.test.ts', 'test/docs/{attacks,reference}.test.ts', 'test/sim/{swarm/swarm,mutants/mutants}.test.ts'];
/** Puts another module in a module's place, which what the worker has loaded for a file before would not notice. */
const MOCKED = ['test/runtime/agent/attention.test.ts'];
/** Real partitions, a real browser, and real clients against real processes: they count on the machine's clock. */
const REAL = ['test/**/*.slow.test.ts', 'test/{outside,browser}/**/*.test.ts', 'test/docs/first-board.test.ts'];
/** A board in QEMU, which takes minutes: `npm run test:board`. */
const BOARD = ['test/board/**'];
/** After this a test hangs. The longest takes three seconds; a busy machine is slow, and a hunt (test/support/properties.ts) long. */
const HANGS_MS = 60_000 * Math.max(1, Number(process.env.LICHEN_RUNS ?? 1));
/** Several waits of one test, each as long as test/outside/gateway.ts is patient. */
const REAL_HANGS_MS = 3 * HANGS_MS;

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // Vite's cache belongs to the installed packages, not to the tree.
  cacheDir: 'node_modules/.vite',
  test: {
    environment: 'node',
    // Processes, not threads: lmdb and process.chdir do not mix with worker threads.
    pool: 'forks',
    // Vitest leaves a core to itself, which on two cores means one test file at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: HANGS_MS,
    hookTimeout: HANGS_MS,
    passWithNoTests: false,
    projects: [
      // A worker serves many files: starting one takes longer than most of them.
      { extends: true, test: { name: 'pure', include: PURE, exclude: [...REAL, ...MOCKED, ...HUNTS], isolate: false } },
      { extends: true, test: { name: 'hunts', include: HUNTS } },
      { extends: true, test: { name: 'short', include: SHORT } },
      { extends: true, test: { name: 'mocked', include: MOCKED } },
      { extends: true, test: { name: 'doors', include: ['test/**/*.test.ts'], exclude: [...PURE, ...HUNTS, ...SHORT, ...REAL, ...BOARD] } },
      // One after the other, when the rest is through.
      {
        extends: true,
        test: { name: 'real', include: REAL, fileParallelism: false, testTimeout: REAL_HANGS_MS, hookTimeout: REAL_HANGS_MS },
      },
    ],
  },
});

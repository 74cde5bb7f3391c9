/** How tests run inside a board (test/board/guest.ts). */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: '/mnt/repository',
  test: {
    environment: 'node',
    pool: 'forks',
    // Node reads the sources as it does in a runtime; to transform them takes an emulated board longer than to run some of them.
    experimental: { viteModuleRunner: false },
    // An emulated board has two slow cores, and the runtime under test needs one.
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    include: ['test/board/inside/*.test.ts', 'test/**/*.slow.test.ts'],
  },
});

/**
 * Runs seeds of the swarm in this process: `child.ts <first> <count> <step> [planted]`; prints one line of JSON for each.
 * `planted`: with a `Math.random()` in the midst of it, that nobody should call.
 */
import type { Violation } from '../../../sim/oracle/physics.ts';
import { patchSource } from '../../support/patched.ts';

export interface SeedLine {
  seed: number;
  traceHash: string;
  faults: Record<string, number>;
  records: number;
  cpuMs: number;
  violations: Violation[];
}

const [first = 1, count = 1, step = 1] = process.argv.slice(2, 5).map(Number);
if (process.argv[5] === 'planted')
  patchSource({
    file: 'runtime/agent/session.ts',
    find: 'board.entropy.bytes(16);',
    replace: 'board.entropy.bytes(16).map(() => Math.floor(Math.random() * 256));',
  });

// Only now: what is planted has to be there before anything is loaded.
const { runSeed, swarmScenario } = await import('./world.ts');
const scenario = swarmScenario();
for (let seed = first; seed < first + count * step; seed += step) {
  const before = process.cpuUsage();
  const { traceHash, faults, recordsSigned, violations } = await runSeed(scenario, seed);
  const { user, system } = process.cpuUsage(before);
  const line: SeedLine = { seed, traceHash, faults, records: recordsSigned, cpuMs: Math.round((user + system) / 1000), violations };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

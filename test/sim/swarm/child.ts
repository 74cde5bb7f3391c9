/** Runs seeds of the swarm in this process, `child.ts <first> <count> <step>`; prints one line of JSON for each. */
import type { Violation } from '../../../sim/oracle/physics.ts';
import { runSeed, swarmScenario } from './world.ts';

export interface SeedLine {
  seed: number;
  ok: boolean;
  traceHash: string;
  faults: Record<string, number>;
  records: number;
  cpuMs: number;
  violations: Violation[];
}

const [first = 1, count = 1, step = 1] = process.argv.slice(2).map(Number);
const scenario = swarmScenario();
for (let seed = first; seed < first + count * step; seed += step) {
  const before = process.cpuUsage();
  const { ok, traceHash, faults, recordsSigned, violations } = await runSeed(scenario, seed);
  const { user, system } = process.cpuUsage(before);
  const line: SeedLine = { seed, ok, traceHash, faults, records: recordsSigned, cpuMs: Math.round((user + system) / 1000), violations };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

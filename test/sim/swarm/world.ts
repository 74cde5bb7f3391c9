/** The swarm's scenario, and one seed of it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RunReport } from '../../../sim/report/report.ts';
import { runScenario } from '../../../sim/run.ts';
import { readScenario } from '../../../sim/scenario/read.ts';
import type { Scenario } from '../../../sim/scenario/scenario.ts';
import { shippedSource } from '../scenario/files.ts';

export const SWARM = 'test/sim/swarm/swarm.yaml';

export const swarmScenario = (): Scenario => {
  const text = readFileSync(fileURLToPath(new URL('swarm.yaml', import.meta.url)), 'utf8');
  const scenario = readScenario(text, SWARM, shippedSource);
  if (Array.isArray(scenario)) throw new Error(scenario.map(({ line, what }) => `${SWARM}:${line}: ${what}`).join('\n'));
  return scenario;
};

export const runSeed = (scenario: Scenario, seed: number, only: number[] | null = null): Promise<RunReport> =>
  runScenario(scenario, { seed, tier: 'a', only, crypto: 'stand-in', lanes: false, path: SWARM, seconds: () => performance.now() / 1000 });

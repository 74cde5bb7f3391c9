/** The scenario that docs/simulator.md shows is one that can be run, and it says of it what is so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';

const root = join(import.meta.dirname, '..', '..');
const shown = /```yaml\n(name: [\s\S]*?)```/.exec(readFileSync(join(root, 'docs', 'simulator.md'), 'utf8'))?.[1] ?? '';

test('the scenario of the documentation holds', async () => {
  const recipe = (name: string): string => readFileSync(join(root, 'recipes', name, 'recipe.yaml'), 'utf8');
  const scenario = readScenario(shown, 'shown.yaml', { recipe, recipes: () => ['hello-sensor'], trace: () => null });
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  const seconds = () => 0;
  const report = await runScenario(scenario, {
    ...{ seed: scenario.seed, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path: 'shown.yaml', seconds },
  });
  expect(report.violations).toEqual([]);
  expect(report.expectations.filter(({ held }) => !held)).toEqual([]);
}, 120_000);

/** Shipped scenarios and what they need, from the disk; and a source for texts that are made up. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ScenarioSource } from '../../../sim/scenario/read.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const recipes = readdirSync(`${root}recipes`).filter((name) => existsSync(`${root}recipes/${name}/recipe.yaml`));

export const shippedSource: ScenarioSource = {
  recipe: (name) => (recipes.includes(name) ? readFileSync(`${root}recipes/${name}/recipe.yaml`, 'utf8') : null),
  recipes: () => recipes,
  trace: (path) => (existsSync(`${root}sim/scenarios/${path}`) ? readFileSync(`${root}sim/scenarios/${path}`, 'utf8') : null),
};

export interface Shipped {
  path: string;
  text: string;
}

export const shipped: Shipped[] = [
  ...readdirSync(`${root}sim/scenarios`)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => `sim/scenarios/${file}`),
  ...recipes.map((name) => `recipes/${name}/scenario.yaml`),
].map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));

const RECIPE = `
name: hello
label: "1"
args: [/bin/hello]
limits: { memoryMib: 96, cpuMillis: 250, pids: 32, tmpMib: 8 }
`;

export const sourceOf = (traces: Record<string, string> = {}, more: Record<string, string> = {}): ScenarioSource => {
  const held: Record<string, string> = { hello: RECIPE, primes: RECIPE.replace('name: hello', 'name: primes'), ...more };
  return { recipe: (name) => held[name] ?? null, recipes: () => Object.keys(held), trace: (path) => traces[path] ?? null };
};

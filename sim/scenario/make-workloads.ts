/** What tenants ask for: recipes looked up, and what is not said worked out from their limits. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { refuseTwins } from './cast.ts';
import type { ScenarioFile } from './file.ts';
import { plainWorkload, type WorkloadRow } from './fleet-file.ts';
import { type Measured, measuredBy, readsOf } from './make-reads.ts';
import { type Desk, unknownWord } from './problem.ts';
import { recipeFacts } from './recipe.ts';
import type { BoardSpec, GatewaySpec, WorkloadSpec } from './scenario.ts';
import type { Placed } from './shape.ts';
import { formatQuantity } from './units.ts';

export interface Recipes {
  /** Text of `recipes/<name>/recipe.yaml`. */
  recipe(name: string): string | null;
  recipes(): string[];
}

export interface Surroundings {
  desk: Desk;
  recipes: Recipes;
  gateways: GatewaySpec[];
  /** The first of each group. */
  boards: BoardSpec[];
  lastsMs: number;
}

export const workloadRows = (rows: ScenarioFile['workloads']): { name: Placed<string>; row: WorkloadRow }[] =>
  rows.map((given) => {
    const row = 'short' in given ? plainWorkload(given.short) : given.map;
    return { name: row.name ?? row.recipe, row };
  });

const limitsOf = (
  { desk, recipes }: Surroundings,
  { value: recipe, at, sound }: Placed<string>,
): { text: string; memoryMib: number; cpuMillis: number; mostShares: number; measured: Measured } => {
  const text = recipes.recipe(recipe);
  if (text === null && sound) desk.report(at, unknownWord('recipe', recipe, recipes.recipes()));
  const facts = text === null ? null : recipeFacts(text);
  if (facts !== null && 'wrong' in facts) {
    desk.report(at, { what: `recipes/${recipe}/recipe.yaml: ${facts.wrong}`, next: 'Mend the recipe; docs/recipes.md explains its keys.' });
  }
  const isRead = facts !== null && 'limits' in facts;
  const limits = isRead ? facts.limits : { memoryMib: 0, cpuMillis: 0 };
  const measured = isRead ? measuredBy(facts.promises) : 'nothing';
  return { text: text ?? '', ...limits, mostShares: isRead ? (facts.shares?.most ?? 0) : LIMITS.shares, measured };
};

const checkPlaces = ({ desk, gateways, lastsMs }: Surroundings, { region, asks }: WorkloadRow): void => {
  const regions = [...new Set(gateways.map((gateway) => gateway.region))];
  if (region?.sound === true && !regions.includes(region.value)) desk.report(region.at, unknownWord('region', region.value, regions));
  if (asks.sound && asks.value >= lastsMs) {
    desk.report(asks.at, {
      what: 'it is asked for after the end',
      why: `the scenario lasts ${formatQuantity('ms', lastsMs)}`,
      next: 'Let the tenant ask earlier.',
    });
  }
};

const workloadOf = (around: Surroundings, name: string, row: WorkloadRow): WorkloadSpec => {
  const { text, memoryMib, cpuMillis, mostShares, measured } = limitsOf(around, row.recipe);
  if (row.shares > mostShares)
    around.desk.report(row.recipe.at, { what: `its recipe serves ${mostShares} shares, not ${row.shares}`, next: 'Ask for fewer.' });
  checkPlaces(around, row);
  const { uses, fails } = row;
  return {
    ...{ name, recipe: row.recipe.value, recipeText: text, replicas: row.replicas, contentBytes: row.content },
    uses: {
      cpuMillis: uses.cpu ?? Math.ceil(cpuMillis / 5),
      memoryMib: uses.memory ?? Math.ceil(memoryMib / 2),
      netInBytesPerS: uses.in,
      netOutBytesPerS: uses.out,
      diskBytesPerS: uses.disk,
    },
    greenAfterMs: row['green-after'],
    fails: fails === null || fails.how === null ? null : { how: fails.how, afterMs: fails.after },
    reads: readsOf(around, row.reads, measured),
    ...{
      asksMs: row.asks.value,
      patienceMs: row.patience,
      onIsolation: row['on-isolation'] ?? 'continue',
      region: row.region?.value ?? null,
      bakeMs: row.bake,
      snapshots: row.snapshots || row.hooks,
      hooks: row.hooks,
      canaries: row.canaries,
      shares: row.shares,
    },
    capMicro: Number.isNaN(row.cap) ? 0n : BigInt(row.cap),
  };
};

export const workloadsOf = (around: Surroundings, rows: ScenarioFile['workloads']): WorkloadSpec[] => {
  const named = workloadRows(rows);
  refuseTwins(
    around.desk,
    'workloads',
    named.map(({ name }) => name),
  );
  return named.map(({ name, row }) => workloadOf(around, name.value, row));
};

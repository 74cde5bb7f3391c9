/** What a run needs to know of a recipe. How it is built is none of its business: its content is made up. */
import * as v from 'valibot';
import { parse as parseYaml } from 'yaml';
import { limits, type Manifest, promise } from '../../runtime/protocol/nouns/release.ts';
import { name, positive, text, tier, uint } from '../../runtime/protocol/schema.ts';

const scalar = v.pipe(v.union([v.string(), v.boolean(), v.number()]), v.transform(String), text);

/** Bounds are written as numbers in YAML, and are texts in the manifest. */
const withTexts = (written: unknown): unknown =>
  typeof written !== 'object' || written === null
    ? written
    : Object.fromEntries(Object.entries(written).map(([key, value]) => [key, key === 'min' || key === 'max' ? String(value) : value]));

/** Defaults as docs/recipes.md gives them. */
const facts = v.object({
  name,
  label: scalar,
  arch: v.optional(v.picklist(['any', 'x64', 'arm64', 'each']), 'any'),
  engine: v.optional(v.picklist(['none', 'node']), 'none'),
  args: v.pipe(v.array(scalar), v.minLength(1)),
  env: v.optional(v.record(v.string(), scalar), {}),
  parameters: v.optional(v.record(name, scalar), {}),
  limits,
  promises: v.optional(
    v.array(
      v.object({
        ...promise.entries,
        probe: v.pipe(v.unknown(), v.transform(withTexts), promise.entries.probe),
        intervalMs: v.optional(promise.entries.intervalMs, 10_000),
        timeoutMs: v.optional(positive, 2000),
        graceMs: v.optional(uint, 15_000),
      }),
    ),
    [],
  ),
  demands: v.optional(tier, 'dev'),
  shares: v.optional(v.object({ most: positive })),
});

/** What a manifest takes over from its recipe. `arch`: `each` is one release for each. */
export type RecipeFacts = Pick<Manifest, 'label' | 'engine' | 'args' | 'env' | 'parameters' | 'limits' | 'promises' | 'demands'> & {
  name: string;
  arch: Manifest['arch'] | 'each';
  shares?: { most: number } | undefined;
};

/** `recipe.yaml` as facts, or what is wrong with it. */
export const recipeFacts = (recipeText: string): RecipeFacts | { wrong: string } => {
  try {
    const read = v.safeParse(facts, parseYaml(recipeText, { prettyErrors: false }), { abortEarly: true });
    if (read.success) return read.output;
    const [issue] = read.issues;
    return { wrong: `${issue.path?.map(({ key }) => String(key)).join('.') ?? ''}: ${issue.message}` };
  } catch (thrown) {
    return { wrong: thrown instanceof Error ? thrown.message : 'it cannot be read' };
  }
};

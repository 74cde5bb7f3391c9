/** `recipe.yaml`: what it may say (docs/recipes.md), read strictly, refused with line and column. */
import * as v from 'valibot';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { devicesSchema, namedPort, outboundRule, protocol } from '../../runtime/protocol/nouns/reach.ts';
import {
  dataTerms,
  HOOKS,
  holdMs,
  hookTerms,
  limits,
  type Manifest,
  probe,
  promise,
  reload,
  shared,
  stop,
} from '../../runtime/protocol/nouns/release.ts';
import { checkPath } from '../../runtime/protocol/path.ts';
import { name, positive, text, tier, uint } from '../../runtime/protocol/schema.ts';
import { type Complaint, type Placed, parsePlaced } from './places.ts';
import { nearest } from './spelling.ts';

/** Often enough to notice, seldom enough for a board with many partitions. */
const PROMISE_DEFAULTS = { intervalMs: 10_000, timeoutMs: 2_000, graceMs: 15_000 };

/** An object of these words and no others; a stray one is answered with the nearest. */
const words = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  v.strictObject(entries, (issue) => {
    if (issue.expected === 'Object') return `expected a map with the keys ${Object.keys(entries).join(', ')}`;
    if (issue.expected !== 'never') return `the key ${issue.expected} is missing`;
    const stray = String(issue.input);
    const meant = nearest(stray, Object.keys(entries));
    return `unknown key "${stray}"${meant === null ? `; known here: ${Object.keys(entries).join(', ')}` : `; did you mean "${meant}"?`}`;
  });

const problemOf = (path: string): string | null => {
  try {
    if (new TextEncoder().encode(path).length > LIMITS.pathBytes) return `a path has at most ${LIMITS.pathBytes} bytes`;
    if (path.startsWith('/')) return `${path}: write it without the leading "/"; it counts from the root of the release`;
    checkPath(path);
    return null;
  } catch (error) {
    return error instanceof LichenError ? error.detail : String(error);
  }
};

const path = v.pipe(
  v.string(),
  v.check(
    (value) => problemOf(value) === null,
    (issue) => problemOf(issue.input) ?? 'not a path',
  ),
);
/** `.` is the top: of the recipe's directory, of the package, of the release. */
const pathOrTop = v.union([v.literal('.'), path], (issue) =>
  typeof issue.input === 'string' ? (problemOf(issue.input) ?? '') : 'expected a path',
);
const QUOTE_IT = 'expected a text; put it in quotes';
/** YAML reads `8080` as a number, and it is meant as the text it was. */
const scalar = v.pipe(v.union([v.string(), v.boolean(), v.pipe(v.number(), v.safeInteger(QUOTE_IT))], QUOTE_IT), v.transform(String), text);

const copied = words({ from: pathOrTop, to: pathOrTop, executable: v.optional(v.boolean()) });
const bundled = words({ bundle: path, to: path });
const linked = words({ link: v.pipe(v.string(), v.minBytes(1), v.maxBytes(LIMITS.pathBytes)), at: path });
const packaged = words({
  // Debian policy 5.6.7 and 5.6.12; neither can pass for an option of a command.
  package: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9+.-]+$/, 'not a name of a Debian package')),
  version: v.optional(v.pipe(v.string(), v.regex(/^[0-9][A-Za-z0-9.+:~-]*$/, 'not a version of a Debian package'))),
  files: v.pipe(v.array(copied), v.minLength(1, 'list the files that are wanted from the package')),
});
export type CopiedSource = v.InferOutput<typeof copied>;
export type BundledSource = v.InferOutput<typeof bundled>;
export type LinkedSource = v.InferOutput<typeof linked>;
export type PackagedSource = v.InferOutput<typeof packaged>;
export type RecipeSource = CopiedSource | BundledSource | LinkedSource | PackagedSource;

const noSource = v.custom<never>(
  () => false,
  ({ input }) => {
    const stray = typeof input === 'object' && input !== null ? Object.keys(input) : [];
    const meant = stray.map((word) => nearest(word, ['from', 'bundle', 'package', 'link'])).find((word) => word !== null);
    return `expected a source: a map with the key from, bundle, package or link${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
  },
);

/** The key that says of which kind a source is picks the schema, so that a message speaks of that kind only. */
const source = v.lazy((input): v.GenericSchema<unknown, RecipeSource> => {
  const has = (key: string): boolean => typeof input === 'object' && input !== null && key in input;
  if (has('package')) return packaged;
  if (has('bundle')) return bundled;
  if (has('link')) return linked;
  return has('from') ? copied : noSource;
});

const ported = words({ ...namedPort.entries, protocol: v.optional(protocol, 'tcp') });

const [http, tcp, exec, file, value, reading] = probe.options;
/** Of a schema only that it is a map is looked at here; what it may hold is refused where all of a release is. */
const schemaMap = v.record(v.string(), v.unknown());
/** Written as a number in YAML, and a text in the manifest. */
const bound = v.pipe(v.union([v.string(), v.number()]), v.transform(String), value.entries.min);
const programArgs = v.pipe(v.array(scalar), v.minLength(1), v.maxLength(64));
const hook = words({ args: programArgs, withinMs: hookTerms.entries.withinMs });
const recipeSchema = words({
  name,
  label: scalar,
  arch: v.optional(v.picklist(['any', 'x64', 'arm64', 'each']), 'any'),
  engine: v.optional(v.picklist(['none', 'node']), 'none'),
  args: programArgs,
  env: v.optional(
    v.record(
      v.pipe(v.string(), v.regex(/^(?!LICHEN_)[A-Za-z_][A-Za-z0-9_]*$/, 'not a name of a variable, or one that parameters use')),
      scalar,
    ),
    {},
  ),
  parameters: v.optional(v.record(name, scalar), {}),
  parameterSchema: v.optional(schemaMap),
  connectionSchema: v.optional(schemaMap),
  shares: v.optional(
    words({
      most: shared.entries.most,
      parameters: v.optional(v.record(name, scalar), {}),
      parameterSchema: v.optional(schemaMap),
      connectionSchema: v.optional(schemaMap),
    }),
  ),
  reload: v.optional(reload),
  stop: v.optional(words(stop.entries)),
  holdMs: v.optional(holdMs),
  data: v.optional(
    words({
      onUpdate: dataTerms.entries.onUpdate,
      before: v.optional(hook),
      after: v.optional(hook),
    }),
  ),
  limits: words(limits.entries),
  promises: v.optional(
    v.pipe(
      v.array(
        words({
          ...promise.entries,
          probe: v.variant('kind', [
            words(http.entries),
            words(tcp.entries),
            words(exec.entries),
            words(file.entries),
            words({ ...value.entries, min: bound, max: bound }),
            words({ ...reading.entries, min: bound, max: bound }),
          ]),
          intervalMs: v.optional(promise.entries.intervalMs, PROMISE_DEFAULTS.intervalMs),
          timeoutMs: v.optional(positive, PROMISE_DEFAULTS.timeoutMs),
          graceMs: v.optional(uint, PROMISE_DEFAULTS.graceMs),
        }),
      ),
      v.maxLength(LIMITS.promises, `at most ${LIMITS.promises} promises`),
    ),
    [],
  ),
  demands: v.optional(tier, 'dev'),
  network: v.optional(
    words({
      outbound: v.optional(
        v.pipe(
          v.array(words({ ...outboundRule.entries, protocol: v.optional(protocol, 'tcp') })),
          v.maxLength(LIMITS.outboundRules, `at most ${LIMITS.outboundRules} rules`),
        ),
        [],
      ),
      dns: v.optional(v.boolean(), false),
      links: v.optional(v.pipe(v.array(ported), v.maxLength(LIMITS.links, `at most ${LIMITS.links} links`)), []),
      publish: v.optional(v.pipe(v.array(ported), v.maxLength(LIMITS.published, `at most ${LIMITS.published} ports`)), []),
    }),
  ),
  devices: v.optional(devicesSchema),
  files: v.pipe(v.array(source), v.minLength(1, 'a release holds at least one file')),
});
export type Recipe = v.InferOutput<typeof recipeSchema>;
export interface ReadRecipe {
  recipe: Recipe;
  complain: Placed['complain'];
}

const complaintOf = (issue: v.BaseIssue<unknown>): Complaint => {
  const steps = issue.path ?? [];
  const place = steps.map(({ key }) => (typeof key === 'number' ? key : String(key)));
  const atKey = steps.at(-1)?.origin === 'key';
  const about = atKey ? '' : place.at(-1);
  return { place, atKey, says: typeof about === 'string' && about !== '' ? `${about}: ${issue.message}` : issue.message };
};

const PLACEHOLDER = /\{\{(.*?)\}\}/g;

/** A port has one name for those who ask for it, and a device is given once. */
const twins = ({ network, devices = [] }: Recipe): Complaint[] => {
  const names = (network?.publish ?? []).map((published) => published.name);
  return [
    ...names.flatMap((one, at) =>
      names.indexOf(one) === at ? [] : [{ place: ['network', 'publish', at, 'name'], says: `two published ports are called "${one}"` }],
    ),
    ...devices.flatMap((one, at) => (devices.indexOf(one) === at ? [] : [{ place: ['devices', at], says: `${one} is named twice` }])),
  ];
};

export interface Program {
  place: Complaint['place'];
  args: string[];
}

/** What of a release is started, and where its words stand. */
export const programsIn = ({ args, data }: Recipe): Program[] => [
  { place: ['args'], args },
  ...HOOKS.flatMap((one) => (data?.[one] === undefined ? [] : [{ place: ['data', one, 'args'], args: data[one].args }])),
];

/** What is half done could not be undone. */
const hooksWithoutSnapshot = ({ data }: Recipe): Complaint[] =>
  HOOKS.filter((one) => data?.[one] !== undefined && data.onUpdate !== 'snapshot').map((one) => ({
    place: ['data', one],
    says: `${one}: only with "onUpdate: snapshot", from which what it began can be begun anew`,
    atKey: true,
  }));

/** What no schema can say: names that must agree with each other. */
const disagreements = (recipe: Recipe): Complaint[] => {
  const { parameters, parameterSchema, promises } = recipe;
  const found: Complaint[] = [...twins(recipe), ...hooksWithoutSnapshot(recipe)];
  const inSchema = parameterSchema?.properties;
  const known = [...Object.keys(parameters), ...(typeof inSchema === 'object' && inSchema !== null ? Object.keys(inSchema) : [])];
  if (known.length > LIMITS.parameters) found.push({ place: ['parameters'], says: `at most ${LIMITS.parameters} parameters`, atKey: true });
  for (const { place, args } of programsIn(recipe)) {
    if (args[0]?.startsWith('/') === false)
      found.push({ place: [...place, 0], says: 'the program is an absolute path inside the release' });
    for (const [at, arg] of args.entries()) {
      for (const [, word = ''] of arg.matchAll(PLACEHOLDER)) {
        const meant = nearest(word, known);
        const hint = meant === null ? '' : `; did you mean "${meant}"?`;
        if (!known.includes(word)) found.push({ place: [...place, at], says: `{{${word}}} is not a parameter${hint}` });
      }
    }
  }
  for (const [at, { name: promised }] of promises.entries()) {
    const first = promises.findIndex((other) => other.name === promised);
    if (first !== at) found.push({ place: ['promises', at, 'name'], says: `two promises are called "${promised}"` });
  }
  return found;
};

/** Errors: `bad-recipe` with every fault that was found, `too-large`. */
export const readRecipe = (yaml: string, fileName: string): ReadRecipe => {
  const placed = parsePlaced(yaml, fileName);
  const result = v.safeParse(recipeSchema, placed.value);
  const recipe = result.success ? result.output : placed.complain(result.issues.map(complaintOf));
  const found = disagreements(recipe);
  if (found.length > 0) placed.complain(found);
  return { recipe, complain: placed.complain };
};

/** As they stand in a manifest: what a recipe does not say is not there. */
export const reachOf = ({ network, devices }: Recipe): Pick<Manifest, 'network' | 'devices'> => ({
  ...(network !== undefined && { network }),
  ...(devices !== undefined && { devices }),
});

export const schemasOf = ({ parameterSchema, connectionSchema }: Pick<Recipe, 'parameterSchema' | 'connectionSchema'>) => ({
  ...(parameterSchema !== undefined && { parameterSchema: JSON.stringify(parameterSchema) }),
  ...(connectionSchema !== undefined && { connectionSchema: JSON.stringify(connectionSchema) }),
});

export const sharesOf = ({ shares }: Recipe): Pick<Manifest, 'shares'> =>
  shares === undefined ? {} : { shares: { most: shares.most, parameters: shares.parameters, ...schemasOf(shares) } };

/** `lichen sim`. Loaded only when it is called; the world itself only when something is run. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import { refuse } from '../runtime/protocol/errors.ts';
import { plural } from '../runtime/protocol/printable.ts';
import { refuseUnknown, vainIn } from './asked.ts';
import { annotationsOf, summaryOf } from './report/github.ts';
import { jsonOf, totalOf } from './report/json.ts';
import { junitOf } from './report/junit.ts';
import type { RunReport } from './report/report.ts';
import { lineOf, type Paint, textOf } from './report/text.ts';
import { PAGE_SCRIPTS, timelineOf } from './report/timeline/page.ts';
import { nearest } from './scenario/nearest.ts';
import { problemLine } from './scenario/problem.ts';
import { readScenario, type ScenarioSource } from './scenario/read.ts';
import type { Scenario } from './scenario/scenario.ts';
import { type Run, type SweepPlan, sweep } from './sweep.ts';

/** Stdout, stderr and colours, as the rest of the command line has them. */
export interface Terminal {
  print(text: string): void;
  say(text: string): void;
  paint: Paint;
}

// ---- what is shipped ------------------------------------------------------------------------------------------------------------

/** Put in by build.mjs: texts by their paths from the root. A bundle is one file and has no folder to look into. */
declare const LICHEN_SIM_FILES: Record<string, string>;

const SHIPPED_FOLDER = 'sim/scenarios';
const PAGE_FOLDER = 'sim/report/timeline';
const root = fileURLToPath(new URL('..', import.meta.url));

const filesBelow = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : [];

/** A file that is shipped, by its path from the root; null when there is none. */
const shippedText = (path: string): string | null => {
  if (typeof LICHEN_SIM_FILES !== 'undefined') return Object.hasOwn(LICHEN_SIM_FILES, path) ? (LICHEN_SIM_FILES[path] ?? null) : null;
  return textAt(join(root, path));
};

const shippedPaths = (folder: string): string[] =>
  typeof LICHEN_SIM_FILES !== 'undefined'
    ? Object.keys(LICHEN_SIM_FILES).filter((path) => path.startsWith(`${folder}/`))
    : filesBelow(join(root, folder)).map((path) => path.slice(root.length).replaceAll(sep, '/'));

const textAt = (path: string): string | null => (existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : null);

const YAML = /\.ya?ml$/;
const shippedNames = (): string[] => shippedPaths(SHIPPED_FOLDER).flatMap((path) => /([^/]+)\.ya?ml$/.exec(path)?.[1] ?? []);

// ---- which scenario is meant ----------------------------------------------------------------------------------------------------

interface Found {
  /** As it is said in messages and in the command that replays. */
  path: string;
  text: string;
  /** Where its traces and recipes are looked for; null: shipped. */
  folder: string | null;
}

const scenarioIn = (path: string): Found | null => {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'scenario.yaml') : path;
  const text = textAt(file);
  return text === null ? null : { path: file, text, folder: dirname(file) };
};

/** A file, a folder with a scenario.yaml, or a bare name: of a shipped scenario, else of a recipe in this folder. */
const find = (given: string): Found => {
  const isName = !YAML.test(given) && !/[\\/]/.test(given);
  if (isName) {
    const path = `${SHIPPED_FOLDER}/${given}.yaml`;
    const text = shippedText(path);
    if (text !== null) return { path: given, text, folder: null };
    const own = scenarioIn(join('recipes', given));
    if (own !== null) return own;
  }
  const found = scenarioIn(given);
  if (found !== null) return found;
  const known = [...shippedNames(), ...ownScenarios().map(({ path }) => path)];
  const meant = nearest(given, known);
  return refuse(
    'not-found',
    `there is no scenario ${given}${meant === null ? '' : ` (did you mean ${meant}?)`}`,
    '`lichen sim list` shows those there are.',
  );
};

const ownScenarios = (): Found[] =>
  (existsSync('recipes') ? readdirSync('recipes').sort() : []).flatMap((name) => scenarioIn(join('recipes', name)) ?? []);

/** From a folder upwards: the folder itself, its parent, and so on. */
const upwards = (folder: string): string[] => {
  const here = resolve(folder);
  const parent = dirname(here);
  return parent === here ? [here] : [here, ...upwards(parent)];
};

/** Folders that hold recipes, the nearest first: `recipes/` from the scenario's folder upwards, then from here. */
const shelves = (folder: string | null): string[] =>
  [...(folder === null ? [] : upwards(folder)), ...upwards('.')]
    .map((place) => join(place, 'recipes'))
    .filter((place) => existsSync(place));

const namesOn = (shelf: string): string[] => readdirSync(shelf).filter((name) => existsSync(join(shelf, name, 'recipe.yaml')));

const isRecipeName = (name: string): boolean => /^[a-z0-9-]+$/.test(name);

/** What a scenario may look into: recipes beside it, above it, here and those shipped, and traces in its own folder. */
const sourceOf = ({ folder }: Found): ScenarioSource => ({
  recipe: (name) => {
    if (!isRecipeName(name)) return null;
    // Shipped scenarios show what they show wherever they are run.
    const own = folder === null ? [] : shelves(folder).map((shelf) => textAt(join(shelf, name, 'recipe.yaml')));
    return own.find((text) => text !== null) ?? shippedText(`recipes/${name}/recipe.yaml`);
  },
  recipes: () => [
    ...new Set([
      ...(folder === null ? [] : shelves(folder).flatMap(namesOn)),
      ...shippedPaths('recipes').flatMap((path) => /^recipes\/([^/]+)\/recipe\.yaml$/.exec(path)?.[1] ?? []),
    ]),
  ],
  trace: (path) => (folder === null ? shippedText(`${SHIPPED_FOLDER}/${path}`) : textAt(resolve(folder, path))),
});

/** Nothing of a scenario that has a flaw is run; all flaws are told. */
const read = (given: string): { scenario: Scenario; path: string } => {
  const found = find(given);
  const scenario = readScenario(found.text, found.path, sourceOf(found));
  if (!Array.isArray(scenario)) return { scenario, path: found.path };
  const lines = scenario.map((problem) => problemLine(found.path, problem));
  return refuse('bad-scenario', `${plural(lines.length, 'problem')}:\n${lines.join('\n')}`);
};

// ---- run and replay -------------------------------------------------------------------------------------------------------------

interface RunFlags {
  seed?: string;
  seeds?: string;
  keepGoing?: boolean;
  tier: string;
  faults?: string;
  ed25519?: boolean;
  shrink: string;
  json?: boolean;
  junit?: string;
  github?: boolean;
  timeline?: string;
}

const wholeNumber = (text: string, flag: string, least: number, most = Number.MAX_SAFE_INTEGER - 1_000_000): number => {
  const value = Number(text);
  return /^\d{1,16}$/.test(text) && value >= least && value <= most
    ? value
    : refuse('bad-usage', `${flag} is a whole number from ${least} to ${most}, not "${text}"`);
};

/** `3,7,12`, or `none`. */
const faultList = (text: string | undefined): number[] | null => {
  if (text === undefined) return null;
  if (text === 'none') return [];
  const numbers = text.split(',').map((part) => wholeNumber(part.trim(), '--faults', 0, 999_999));
  return [...new Set(numbers)].sort((a, b) => a - b);
};

const tierOf = (text: string): 'a' | 'b' => (text === 'a' || text === 'b' ? text : refuse('bad-usage', `--tier is a or b, not "${text}"`));

/** The machine's: in tier b everybody's clock is the virtual one while it runs. */
const machineMs = performance.now.bind(performance);

/** So long shrinking may go on: longer than most people wait, shorter than what a CI job is given. */
const SHRINK_SECONDS = 120;

const planOf = (given: string, flags: RunFlags): SweepPlan => {
  const words = {
    firstSeed: flags.seed === undefined ? null : wholeNumber(flags.seed, '--seed', 0),
    seeds: wholeNumber(flags.seeds ?? '1', '--seeds', 1, 1_000_000),
    tier: tierOf(flags.tier),
    only: faultList(flags.faults),
    shrinkRuns: wholeNumber(flags.shrink, '--shrink', 0, 100_000),
  };
  const { scenario, path } = read(given);
  return {
    ...words,
    ...{ scenario, path, firstSeed: words.firstSeed ?? scenario.seed, shrinkSeconds: SHRINK_SECONDS },
    ...{
      keepGoing: flags.keepGoing === true,
      crypto: flags.ed25519 === true ? 'ed25519' : 'stand-in',
      lanes: flags.timeline !== undefined,
    },
    seconds: () => machineMs() / 1000,
  };
};

const write = (path: string, text: string): void => {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  writeFileSync(path, text);
};

const page = (report: RunReport): string => {
  const part = (name: string): string => shippedText(`${PAGE_FOLDER}/${name}`) ?? refuse('internal', `${name} is missing`);
  return timelineOf(report, { css: part('page.css'), scripts: PAGE_SCRIPTS.map(part) });
};

/** Files first: whoever reads them looks at the exit status before. Of many runs the timeline shows the first that failed, else the last. */
const writeFiles = (reports: RunReport[], flags: RunFlags, { print, say }: Terminal): void => {
  if (flags.junit !== undefined) write(flags.junit, junitOf(reports));
  const told = reports.find(({ ok }) => !ok) ?? reports.at(-1);
  if (flags.timeline !== undefined && told !== undefined) {
    write(flags.timeline, page(told));
    say(`timeline of seed ${told.seed}: ${flags.timeline}`);
  }
  if (flags.github !== true) return;
  for (const line of annotationsOf(reports)) print(line);
  const summary = process.env.GITHUB_STEP_SUMMARY;
  if (summary === undefined || summary === '') say('GITHUB_STEP_SUMMARY is not set, so no summary is written.');
  else appendFileSync(summary, summaryOf(reports));
};

const runAction = async (given: string, flags: RunFlags, terminal: Terminal, run: Run): Promise<void> => {
  const { print, say, paint } = terminal;
  const plan = planOf(given, flags);
  refuseUnknown(plan);
  const vain = vainIn(plan);
  if (vain !== null) say(`note: ${vain}`);
  const isJson = flags.json === true;
  const reports = await sweep(run, plan, {
    shrinking: ({ seed }, candidates) => say(`seed ${seed} broke; looking for the fewest of ${plural(candidates, 'fault')} that break it`),
    done: (report) => {
      if (plan.seeds === 1) return;
      if (isJson) print(JSON.stringify(jsonOf(report)));
      else print(lineOf(report, paint));
    },
  });
  writeFiles(reports, flags, terminal);
  const failed = reports.filter(({ ok }) => !ok);
  const toPeople = isJson ? say : print;
  if (plan.seeds === 1 && (!isJson || failed.length > 0)) toPeople(textOf(reports[0], paint));
  else for (const report of failed) toPeople(textOf(report, paint));
  if (plan.seeds > 1 && !isJson) print(sentence(plan, reports, paint));
  if (isJson) print(JSON.stringify(totalOf(reports)));
  if (failed.length > 0) process.exitCode = 1;
};

const sentence = ({ scenario, seeds }: SweepPlan, reports: RunReport[], paint: Paint): string => {
  const failed = reports.filter(({ ok }) => !ok).length;
  const rest = reports.length < seeds ? `; ${seeds - reports.length} not run` : '';
  const verdict = failed === 0 ? paint.green('held') : `${paint.red('broke')} with ${failed}`;
  return `${paint.bold(scenario.name)} ${verdict} ${failed === 0 ? 'with' : 'of'} ${plural(reports.length, 'seed')}${rest}`;
};

// ---- list, explain, schema ------------------------------------------------------------------------------------------------------

/** Only the line that tells what it is about; a file with flaws is listed all the same. */
const aboutOf = (text: string): string => {
  try {
    const value: unknown = parseYaml(text);
    if (typeof value === 'object' && value !== null && 'about' in value) return String(value.about).trim().replace(/\s+/g, ' ');
    return '';
  } catch {
    return 'this file is not YAML';
  }
};

const listAction = (flags: { json?: boolean }, { print, paint }: Terminal): void => {
  const shipped = shippedNames().map((name) => ({ name, text: shippedText(`${SHIPPED_FOLDER}/${name}.yaml`) ?? '', isShipped: true }));
  const own = ownScenarios().map(({ path, text }) => ({ name: path, text, isShipped: false }));
  const rows = [...shipped, ...own].map(({ name, text, isShipped }) => ({ scenario: name, about: aboutOf(text), shipped: isShipped }));
  if (flags.json === true) return print(JSON.stringify(rows));
  const wide = Math.max(0, ...rows.map(({ scenario }) => scenario.length));
  for (const { scenario, about } of rows) print(`${paint.bold(scenario.padEnd(wide))}  ${/^.*?[.!?](?= |$)/.exec(about)?.[0] ?? about}`);
};

const bullets = (title: string, lines: string[]): string[] => (lines.length === 0 ? [] : [title, ...lines.map((line) => `  - ${line}`)]);

const explainAction = async (part: string | undefined, flags: { json?: boolean }, { print, paint }: Terminal): Promise<void> => {
  const { EXPLAIN } = await import('./hardware/explain.ts');
  const names = EXPLAIN.map((one) => one.part);
  const meant = part === undefined || names.includes(part) ? null : nearest(part, names);
  const wanted = EXPLAIN.filter((one) => part === undefined || one.part === part);
  if (wanted.length === 0) {
    refuse('bad-usage', `there is no part ${part}${meant === null ? '' : ` (did you mean ${meant}?)`}; there are ${names.join(', ')}`);
  }
  if (flags.json === true) return print(JSON.stringify(wanted));
  const text = wanted.map(({ part: name, models, parameters, doesNot }) =>
    [
      paint.bold(name),
      ...bullets('models', models),
      ...bullets('does not', doesNot),
      ...(parameters.length === 0 ? [] : [`parameters: ${parameters.join(', ')}`]),
    ].join('\n'),
  );
  print(text.join('\n\n'));
};

const schemaAction = async (flags: { json?: boolean }, { print }: Terminal): Promise<void> => {
  const { scenarioJsonSchema } = await import('./scenario/json-schema.ts');
  print(flags.json === true ? JSON.stringify(scenarioJsonSchema()) : JSON.stringify(scenarioJsonSchema(), null, 2));
};

// ---- verbs ----------------------------------------------------------------------------------------------------------------------

const RUN_KEYS =
  'ok, seed, traceHash, boards, simulatedHours, wallSeconds, faults, recordsSigned, recordsLost, recordsBilledTwice, overlapStopMs, violations, scenario, tier, gateways, events, worstRehomeMs, overlaps, worstOverlapMs, faultsMissed, expectations, shrunk, replay, seeds, seedsFailed';

const STATUS = '\nExit status: 0 everything held, 1 a promise broke or an expectation was not met, 64 a word or the scenario is wrong.';

const addVerb = (sim: Command, usage: string, says: string, examples: string[], json: string): Command =>
  sim
    .command(usage)
    .description(says)
    .addHelpText('before', `Examples:\n${examples.map((example) => `  lichen sim ${example}`).join('\n')}\n`)
    .addHelpText('after', `\nJSON:\n  ${json}`)
    .option('--json', 'print one JSON value as the last line of stdout');

const addRunFlags = (verb: Command): Command =>
  verb
    .option('--faults <list>', 'let only these happen, by number: 3,7,12, or none')
    .option('--tier <tier>', 'a: messages; b: the bytes of real MQTT', 'a')
    .option('--ed25519', 'real signatures instead of the keyed-hash stand-in of tier A')
    .option('--shrink <runs>', 'runs that may be spent to find the fewest faults that break it', '100')
    .option('--junit <file>', 'write JUnit XML')
    .option('--github', 'print annotations and write the step summary of GitHub Actions')
    .option('--timeline <file>', 'write one HTML file with lanes for every board and gateway')
    .addHelpText('after', STATUS);

/** Adds its verbs to the command `sim`. */
export const registerSim = (
  sim: Command,
  terminal: Terminal,
  run: Run = async (scenario, options) => (await import('./run.ts')).runScenario(scenario, options),
): void => {
  const examples = [
    'run first-day',
    'run recipes/hello-sensor/scenario.yaml --seeds 20 --junit sim.xml',
    'run flaky-village-wifi --seed 7 --timeline flaky.html',
  ];
  addRunFlags(
    addVerb(
      sim,
      'run <scenario>',
      'run a scenario: a file, a folder with scenario.yaml, or the name of a shipped one',
      examples,
      `{${RUN_KEYS}}`,
    )
      .option('--seed <number>', 'from which everything random is drawn (else the one of the scenario)')
      .option('--seeds <count>', 'run so many seeds, one after the other, until one fails', '1')
      .option('--keep-going', 'run all seeds, whatever fails'),
  ).action((given: string, flags: RunFlags) => runAction(given, flags, terminal, run));
  addVerb(
    sim,
    'list',
    'scenarios that are shipped, and those of recipes in this folder',
    ['list'],
    '[{scenario, about, shipped}, …]',
  ).action((flags: { json?: boolean }) => listAction(flags, terminal));
  addRunFlags(
    addVerb(
      sim,
      'replay <scenario>',
      'run one seed again, as a failure says',
      ['replay first-day --seed 7 --faults 3,12'],
      `{${RUN_KEYS}}`,
    ).requiredOption('--seed <number>', 'the seed that failed'),
  ).action((given: string, flags: RunFlags) => runAction(given, flags, terminal, run));
  addVerb(
    sim,
    'explain [part]',
    'what each virtual part models, and what it does not',
    ['explain', 'explain card'],
    '[{part, models, parameters, doesNot}, …]',
  ).action((part: string | undefined, flags: { json?: boolean }) => explainAction(part, flags, terminal));
  addVerb(sim, 'schema', 'the JSON schema of scenarios, for editors', ['schema > scenario.schema.json'], 'the schema').action(
    (flags: { json?: boolean }) => schemaAction(flags, terminal),
  );
};

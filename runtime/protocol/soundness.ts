/**
 * What no schema of the wire can say of a release: whether it can run anywhere at all. Asked by the builder, by the
 * gateway to which it is pushed, and by every board again.
 */
import { refuse } from './errors.ts';
import { ROOT_FILE, RUNTIME_FILE } from './image.ts';
import { parseJsonSchema } from './json-schema.ts';
import { LIMITS } from './limits.ts';
import { HOOKS, type Manifest } from './nouns/release.ts';
import { checkDefaults, schemaOf, type Takes } from './parameters.ts';
import { checkPath } from './path.ts';

const bad = (detail: string): never => refuse('bad-release', detail);

const checkLimits = ({ limits }: Manifest): void => {
  for (const key of ['memoryMib', 'cpuMillis', 'pids'] as const) {
    if (limits[key] > LIMITS[key]) bad(`limits.${key}: ${limits[key]} is more than any board has; at most ${LIMITS[key]}`);
  }
  if (limits.tmpMib < 1) bad('limits.tmpMib: a partition has a /tmp of at least 1 MiB');
  // It is memory, and counts as such.
  if (limits.tmpMib > limits.memoryMib) bad(`limits.tmpMib: a /tmp of ${limits.tmpMib} MiB does not fit into ${limits.memoryMib} MiB`);
};

const checkFile = (path: string, what: string): void => {
  if (!path.startsWith('/')) bad(`${what}: ${path} is not an absolute path inside the partition`);
  checkPath(path.slice(1));
};

/** Where files change that an instance may be judged by; what a board would have to read elsewhere is not the instance's. */
const LOOKED_AT = ['/data/', '/tmp/', '/run/lichen/out/', '/sys/'];

const checkLookedAt = (path: string, what: string): void => {
  checkFile(path, what);
  if (!LOOKED_AT.some((place) => path.startsWith(place))) bad(`${what}: ${path} is not in ${LOOKED_AT.join(', ')}`);
};

const checkPromises = ({ promises }: Manifest): void => {
  for (const [at, { name, probe, intervalMs, timeoutMs, graceMs }] of promises.entries()) {
    const what = `promise ${name}`;
    if (promises.findIndex((other) => other.name === name) !== at) bad(`two promises are called ${name}`);
    if (timeoutMs > LIMITS.probeTimeoutMs) bad(`${what}: timeoutMs is at most ${LIMITS.probeTimeoutMs}; it is asked again anyway`);
    if (intervalMs > LIMITS.probeIntervalMs) bad(`${what}: intervalMs is at most ${LIMITS.probeIntervalMs}`);
    if (graceMs > LIMITS.probeGraceMs) bad(`${what}: graceMs is at most ${LIMITS.probeGraceMs}`);
    if ('args' in probe) checkFile(probe.args[0] ?? '', what);
    if (probe.kind === 'file' || probe.kind === 'value') checkLookedAt(probe.path, what);
    if ('min' in probe && Number(probe.min) > Number(probe.max)) bad(`${what}: no number lies between ${probe.min} and ${probe.max}`);
  }
};

const NUL = '\0';
/** Names that a program is given by us stand for parameters. */
const VARIABLE = /^(?!LICHEN_)[A-Za-z_][A-Za-z0-9_]*$/;
const PLACEHOLDER = /\{\{([a-z][a-z0-9-]*)\}\}/g;

const checkWords = ({ args, env, parameters, promises, data }: Manifest, known: Set<string>): void => {
  const programs = [
    { what: 'args', words: args },
    ...HOOKS.flatMap((hook) => ({ what: `data.${hook}.args`, words: data?.[hook]?.args ?? [] })),
  ].filter(({ words }) => words.length > 0);
  const said = [...programs.flatMap(({ words }) => words), ...Object.values(env), ...Object.values(parameters)];
  if ([...said, ...promises.flatMap(({ probe }) => ('args' in probe ? probe.args : []))].some((word) => word.includes(NUL)))
    bad('no word of a program holds a zero byte');
  const odd = Object.keys(env).find((name) => !VARIABLE.test(name));
  if (odd !== undefined) bad(`env: ${odd} is not a name of a variable, or one that parameters use`);
  for (const { what, words } of programs) {
    if (!words[0]?.startsWith('/')) bad(`${what}: the program ${words[0]} is not an absolute path inside the release`);
    for (const [, word = ''] of words.join(' ').matchAll(PLACEHOLDER)) {
      if (!known.has(word)) bad(`${what}: {{${word}}} is not a parameter`);
    }
  }
};

/** What is half done could not be undone. */
const checkHooks = ({ data, image }: Manifest): void => {
  const hook = HOOKS.find((one) => data?.[one] !== undefined);
  if (hook === undefined) return;
  if (data?.onUpdate !== 'snapshot') bad(`data.${hook}: only with "onUpdate: snapshot", from which what it began can be begun anew`);
  if (image !== undefined) bad(`data.${hook}: an image has no /data`);
};

/** Nothing of it runs in a partition, so nothing of it says how. */
const checkImage = ({ args, env, engine, parameters, promises, network, devices, image }: Manifest): void => {
  const file = image?.part === 'runtime' ? RUNTIME_FILE : ROOT_FILE;
  const isBare = args.length === 1 && args[0] === `/${file}` && engine === 'none' && network === undefined && devices === undefined;
  if (!isBare || [env, parameters, promises].some((words) => Object.keys(words).length > 0))
    bad(`an image is started by its board: args is /${file} alone, and it asks for nothing`);
};

/** Error: `bad-release`. */
export const checkRunnable = ({ image }: Manifest): void => {
  if (image !== undefined) bad(`it is the system of a board (${image.board}), which no partition runs; "lichen board update" gives it`);
};

/** Returns the names of all of them. */
const checkParameters = (takes: Takes): Set<string> => {
  const schema = schemaOf(takes);
  const names = new Set([...Object.keys(takes.parameters), ...Object.keys(schema?.properties ?? {})]);
  if (names.size > LIMITS.parameters) bad(`at most ${LIMITS.parameters} parameters`);
  const odd = [...names].find((name) => !/^[a-z][a-z0-9-]{0,62}$/.test(name));
  if (odd !== undefined) bad(`${odd} is not a name of a parameter: a-z, 0-9, -, at most 63`);
  if (schema !== null) checkDefaults(takes, schema);
  return names;
};

const checkConnectionSchema = ({ connectionSchema }: Pick<Manifest, 'connectionSchema'>): void => {
  if (connectionSchema !== undefined) parseJsonSchema(connectionSchema, 'the schema of the connection');
};

/** To begin anew for each that comes or goes would let one tenant interrupt all others. */
const checkShared = ({ shares, reload }: Manifest): void => {
  if (shares === undefined) return;
  if (reload === undefined) bad('shares: what is shared says by which signal (reload) it is told whom it serves');
  checkParameters(shares);
  checkConnectionSchema(shares);
};

/** Errors: `bad-release`, `bad-path`. */
export const checkManifest = (manifest: Manifest): void => {
  checkWords(manifest, checkParameters(manifest));
  checkLimits(manifest);
  checkPromises(manifest);
  if (manifest.image !== undefined) checkImage(manifest);
  checkConnectionSchema(manifest);
  checkShared(manifest);
  checkHooks(manifest);
};

/**
 * A scenario from its file. Whatever could not happen is refused here, all of it at once and before anything runs: a key
 * or a name that nobody knows, a quantity without its unit, hardware that does not exist, an expectation that would
 * never be looked at. Nothing is opened here; recipes and traces are given by whoever asks.
 */
import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { SCENARIO } from './bounds.ts';
import { type Cast, refuseTwins } from './cast.ts';
import { fileShape, type PaceRow, type ScenarioFile } from './file.ts';
import { expectationsOf, incidentsOf, mixOf } from './make-events.ts';
import { gatewaysOf, groupsOf, linkOf, linksOf } from './make-fleet.ts';
import { type Recipes, workloadRows, workloadsOf } from './make-workloads.ts';
import { Desk, type ScenarioProblem } from './problem.ts';
import type { BoardSpec, PaceSpec, Scenario } from './scenario.ts';
import type { Spot } from './shape.ts';
import { formatQuantity } from './units.ts';

export interface ScenarioSource extends Recipes {
  /** A trace by the path that the scenario gives, from the folder that the scenario lies in. */
  trace(path: string): string | null;
}

const NEXT: Partial<Record<YAMLError['code'], string>> = {
  DUPLICATE_KEY: 'Keep one of the two.',
  TAB_AS_INDENT: 'Indent with spaces.',
  MULTIPLE_DOCS: 'Put each scenario into a file of its own.',
  BAD_ALIAS: 'Write out what it stands for, or an "&name" before it.',
};

/** `path`: as the person gave it; its last part names a scenario that has no name. All problems in the order of the file. */
export const readScenario = (text: string, path: string, source: ScenarioSource): Scenario | ScenarioProblem[] => {
  if (text.length > SCENARIO.textChars) {
    return [{ line: 1, column: 1, what: `a file of ${text.length} characters`, next: `Write at most ${SCENARIO.textChars}.` }];
  }
  const lines = new LineCounter();
  const place = (at: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(at);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  // A warning (an unknown tag, say) means that a value is not what was written.
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return faults.map((fault) => ({ ...place(fault.pos[0]), what: fault.message, next: NEXT[fault.code] ?? 'Mend the YAML here.' }));
  }
  const desk = new Desk();
  const spot: Spot = { node: document.contents, at: document.contents?.range?.[0] ?? 0, file: { desk, document, aliases: 0 } };
  const scenario = make(desk, fileShape.read(spot), path, source);
  return desk.count === 0 ? scenario : desk.problems(place);
};

/** The file's own name, or that of its folder where all files are called alike. */
const nameFrom = (path: string): string => {
  const parts = path.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  const file = (parts.at(-1) ?? '').replace(/\.ya?ml$/, '');
  return (file === 'scenario' ? parts.at(-2) : file) || 'scenario';
};

const make = (desk: Desk, file: ScenarioFile, path: string, source: ScenarioSource): Scenario => {
  const lastsMs = file.lasts.value;
  const { names, gateways } = gatewaysOf(file.gateways);
  const links = linksOf(desk, file.links);
  const groups = groupsOf({ desk, links }, file.boards, (trace) => source.trace(trace), lastsMs);
  const boards = [...groups.values()].flat();
  const around = { desk, recipes: source, gateways, boards: [...groups.values()].flatMap((group) => group[0] ?? []), lastsMs };
  const workloads = workloadsOf(around, file.workloads);
  const workloadNames = workloadRows(file.workloads).map(({ name }) => name.value);
  const cast: Cast = { desk, gateways, boards, groups: eachByName(desk, file, groups), workloads, workloadNames, links };
  refuseTwins(desk, 'gateways', names);
  const incidents = incidentsOf(cast, file.timeline, lastsMs);
  return {
    ...{ name: file.name ?? nameFrom(path), about: file.about.trim(), seed: file.seed, lastsMs, startsMs: file.starts },
    ...{ gateways, backbone: linkOf(cast, file.backbone), boards, workloads, incidents },
    mix: mixOf(cast, file.faults, lastsMs, incidents.length),
    swarm: file.swarm,
    pace: paceOf(desk, file.pace),
    expect: expectationsOf(cast, file.expect, lastsMs),
  };
};

/** Groups, and the boards of each by their own names. In a report boards and gateways stand side by side, so no two may be called alike. */
const eachByName = (desk: Desk, file: ScenarioFile, groups: Map<string, BoardSpec[]>): Map<string, BoardSpec[]> => {
  const all = new Map(groups);
  const gateways = new Set(file.gateways.map((row) => ('short' in row ? row.short.value : row.map.name.value)));
  for (const { name } of file.boards) {
    for (const board of groups.get(name.value) ?? []) {
      const isTwin = board.name !== board.group && all.has(board.name);
      if (isTwin || gateways.has(board.name)) {
        desk.report(name.at, { what: `two machines are called "${board.name}"`, next: 'Choose another name for one of them.' });
      }
      if (board.name !== board.group) all.set(board.name, [board]);
    }
  }
  return all;
};

const SECOND_MS = 1000;

/** Defaults of the runtime and the gateway, stretched where the file makes them slower, so that one `tick: 30s` is enough. */
const paceOf = (desk: Desk, row: PaceRow): PaceSpec => {
  const tickMs = row.tick?.value ?? 1000;
  const meterMs = row.meter?.value ?? Math.max(60_000, tickMs);
  const gatewayTickMs = row['gateway-tick']?.value ?? Math.max(500, Math.ceil(tickMs / 2));
  const pace: PaceSpec = {
    ...{ tickMs, meterMs, gatewayTickMs },
    recordMs: row.record?.value ?? Math.max(900_000, meterMs),
    reportMs: row.report?.value ?? Math.max(60_000, tickMs),
    boardPatienceMs: row['board-patience']?.value ?? Math.max(10_000, 2 * tickMs),
    silenceMs: row.silence?.value ?? Math.max(5000, 10 * gatewayTickMs),
    keepaliveMs: row.keepalive?.value ?? Math.min(120_000, Math.max(10_000, SECOND_MS * Math.ceil((2 * tickMs) / SECOND_MS))),
  };
  const atLeast = (field: PaceRow[keyof PaceRow], least: number, what: string): void => {
    if (field === null || !field.sound || field.value >= least) return;
    desk.report(field.at, {
      what: `${formatQuantity('ms', field.value)} is shorter than ${what}`,
      next: `Write at least ${formatQuantity('ms', least)}.`,
    });
  };
  atLeast(row.meter, tickMs, 'a tick');
  atLeast(row.record, meterMs, 'what lies between two readings');
  atLeast(row.silence, 2 * gatewayTickMs, 'two ticks of a gateway');
  const { keepalive } = row;
  if (keepalive?.sound === true && keepalive.value % SECOND_MS !== 0) {
    desk.report(keepalive.at, {
      what: 'a keepalive is whole seconds',
      why: 'MQTT says so',
      next: `Write ${formatQuantity('ms', SECOND_MS * Math.ceil(keepalive.value / SECOND_MS))}.`,
    });
  }
  return pace;
};

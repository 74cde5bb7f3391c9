/** The GitHub Action and the GitLab job: their own commands, taken out of their files and run for real in a folder of somebody else. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
const actionFolder = join(root, '.github/actions/simulate');

const SCENARIO = `about: A board that loses its link for a while.
lasts: 2h
gateways: [a, b]
boards:
  - { name: kitchen, profile: pi-4b }
workloads: [blink]
timeline:
  - { at: 40min, kind: link-cut, on: kitchen, for: 10min }
expect:
  - eventually: { see: linked, at-least: 1, within: 10min }
  - sometimes: { see: faults, of: link-cut, at-least: 1 }
`;

/** Its `sometimes` cannot happen: nobody cuts the power. */
const VACUOUS = SCENARIO.replace('of: link-cut', 'of: power-cut');

const RECIPE =
  'name: blink\nlabel: "1"\nargs: [/bin/sh]\nlimits: { memoryMib: 64, cpuMillis: 500, pids: 8, tmpMib: 8 }\nfiles: [{ from: run.sh, to: run.sh }]\n';

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-sim-action-'));
  mkdirSync(join(home, 'recipes/blink'), { recursive: true });
  writeFileSync(join(home, 'recipes/blink/recipe.yaml'), RECIPE);
  writeFileSync(join(home, 'recipes/blink/scenario.yaml'), SCENARIO);
  writeFileSync(join(home, 'a name; touch owned.yaml'), SCENARIO);
  writeFileSync(join(home, 'vacuous.yaml'), VACUOUS);
  writeFileSync(join(home, 'unknown-key.yaml'), SCENARIO.replace('gateways', 'gatways'));
});
afterAll(() => rmSync(home, { recursive: true }));

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** What it is given and nothing else, with whichever Node the machine has. */
const bash = (flags: string[], script: string, env: Record<string, string>): Ran =>
  spawnSync('bash', [...flags, '-c', script], {
    ...{ cwd: home, encoding: 'utf8', timeout: 120_000 },
    env: { PATH: process.env.PATH, HOME: home, ...env },
  });

const written = (name: string): string => readFileSync(join(home, name), 'utf8');

describe('the GitHub Action', () => {
  interface Action {
    inputs: Record<string, { required?: boolean; default?: string }>;
    runs: { using: string; steps: { shell: string; env: Record<string, string>; run: string }[] };
  }
  const action = (): Action => parse(readFileSync(join(actionFolder, 'action.yml'), 'utf8'));

  /** As the runner does it: expressions become text, then the script is given to `bash --noprofile --norc -eo pipefail`. */
  const step = (inputs: Record<string, string>): Ran => {
    const { inputs: declared, runs } = action();
    for (const name of Object.keys(inputs)) expect(declared, name).toHaveProperty(name);
    const [only, ...others] = runs.steps;
    if (only === undefined || others.length > 0) throw new Error('one step is looked at here');
    const value = (text: string): string =>
      text.replace(/\$\{\{ (\S+) \}\}/g, (_, name: string) => {
        if (name === 'github.action_path') return actionFolder;
        const input = /^inputs\.(\w+)$/.exec(name)?.[1] ?? '';
        return inputs[input] ?? declared[input]?.default ?? `(no ${name})`;
      });
    // An expression in the script itself would let an input be a command.
    expect(only.run).not.toContain('${{');
    const env = Object.fromEntries(Object.entries(only.env).map(([name, text]) => [name, value(text)]));
    return bash(['--noprofile', '--norc', '-eo', 'pipefail'], only.run, { ...env, GITHUB_STEP_SUMMARY: join(home, 'summary.md') });
  };

  test('is composite and needs nothing but a scenario', () => {
    const { inputs, runs } = action();
    expect(runs.using).toBe('composite');
    expect(Object.entries(inputs).filter(([, { required }]) => required === true)).toEqual([['scenario', expect.anything()]]);
    expect(runs.steps.every(({ shell }) => shell === 'bash')).toBe(true);
  });

  test('is used by the workflow that docs/simulator.md shows with inputs that it has', () => {
    const shown = /^```yaml\n(name: simulate\n[\s\S]*?)^```$/m.exec(readFileSync(join(root, 'docs/simulator.md'), 'utf8'))?.[1] ?? '';
    const { jobs } = parse(shown) as { jobs: { simulate: { steps: { uses: string; with?: Record<string, string> }[] } } };
    const used = jobs.simulate.steps.filter(({ uses }) => uses.includes('/.github/actions/simulate@'));
    expect(used).toHaveLength(1);
    const { inputs } = action();
    for (const name of Object.keys(used[0]?.with ?? {})) expect(inputs, name).toHaveProperty(name);
    for (const [name, { required }] of Object.entries(inputs)) if (required === true) expect(used[0]?.with, name).toHaveProperty(name);
  });

  test('runs the scenario, and writes JUnit, timeline and summary', { timeout: 120_000 }, () => {
    const ran = step({ scenario: 'recipes/blink', seeds: '2', junit: 'out/sim.xml', timeline: 'out/sim.html' });
    expect(ran, ran.stderr).toMatchObject({ status: 0 });
    expect(written('out/sim.xml')).toContain('<testsuite name="blink" tests="11" failures="0"');
    expect(written('out/sim.html')).toContain('</html>');
    expect(written('summary.md')).toContain('blink held with 2 seeds');
    expect(ran.stdout).not.toContain('::error');
  });

  test('fails with the promise, as an annotation on the file; a name is never a command', { timeout: 120_000 }, () => {
    const vacuous = step({ scenario: 'vacuous.yaml', seeds: '1' });
    expect(vacuous.status, vacuous.stderr).toBe(1);
    expect(vacuous.stdout).toMatch(/^::error file=vacuous\.yaml,title=not met/m);
    const odd = step({ scenario: 'a name; touch owned.yaml', seeds: '1' });
    expect(odd, odd.stderr).toMatchObject({ status: 0 });
    expect(existsSync(join(home, 'owned.yaml'))).toBe(false);
    expect(step({ scenario: 'unknown-key.yaml' })).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('Did you mean "gateways"?'),
    });
  });
});

describe('the GitLab job', () => {
  interface Job {
    variables: Record<string, string>;
    before_script: string[];
    script: string[];
    artifacts: { when: string; paths: string[]; reports: { junit: string } };
  }
  const job = (): Job => parse(readFileSync(join(root, '.gitlab/lichen-simulate.yml'), 'utf8'))['.lichen-simulate'];

  /** As a runner does it: variables may name others, then all lines run in one shell that stops at the first failure. */
  const run = (lines: string[], own: Record<string, string>): Ran => {
    const given: Record<string, string> = { CI_PROJECT_DIR: home, ...job().variables, ...own };
    const env = Object.fromEntries(
      Object.entries(given).map(([name, text]) => [name, text.replace(/\$(\w+)/g, (_, other) => given[other] ?? '')]),
    );
    return bash(['-eo', 'pipefail'], lines.join('\n'), env);
  };

  test('runs the scenario and leaves what it promises as artifacts', { timeout: 120_000 }, () => {
    const { before_script, script, artifacts } = job();
    const ran = run([...before_script, ...script], { LICHEN_HOME: root, LICHEN_SCENARIO: 'recipes/blink', LICHEN_SEEDS: '2' });
    expect(ran, ran.stderr).toMatchObject({ status: 0 });
    expect(written(artifacts.reports.junit)).toContain('<testsuite name="blink" tests="11" failures="0"');
    for (const path of artifacts.paths) expect(written(path)).toContain('</html>');
  });

  test('fails when the scenario does, and its artifacts are kept all the same', { timeout: 120_000 }, () => {
    const { script, artifacts } = job();
    const ran = run(script, { LICHEN_HOME: root, LICHEN_SCENARIO: 'vacuous.yaml', LICHEN_SEEDS: '1' });
    expect(ran.status, ran.stderr).toBe(1);
    expect(artifacts.when).toBe('always');
    expect(written(artifacts.reports.junit)).toContain('<failure type="expectation"');
  });

  test('fetches Lichen unless it is there, and says what it lacks', () => {
    const { before_script } = job();
    const unnamed = run(before_script, {});
    expect(unnamed.status).not.toBe(0);
    expect(unnamed.stderr).toContain('says where Lichen is cloned from');
    const git = 'git -c user.name=a -c user.email=a@example.org';
    const made = bash(['-e'], `git init -q -b main far && cd far && echo 1 > build.mjs && git add . && ${git} commit -qm 1`, {});
    expect(made, made.stderr).toMatchObject({ status: 0 });
    const cloned = run(before_script, { LICHEN_REPOSITORY: join(home, 'far') });
    expect(cloned, cloned.stderr).toMatchObject({ status: 0 });
    expect(written('.lichen/build.mjs')).toBe('1\n');
    expect(run(before_script, { LICHEN_REPOSITORY: '/nowhere' })).toMatchObject({ status: 0 });
  });
});

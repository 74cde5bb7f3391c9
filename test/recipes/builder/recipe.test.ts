/** `recipe.yaml`: what is allowed is read, and what is not is refused with line, column and the word that was meant. */
import { describe, expect, test } from 'vitest';
import { reachOf, readRecipe } from '../../../recipes/builder/recipe.ts';
import { nearest } from '../../../recipes/builder/spelling.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';

const GOOD = `name: demo
label: 1
args: [/bin/run, "--every={{interval-ms}}"]
parameters:
  interval-ms: 500
limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 }
promises:
  - name: web
    probe: { kind: http, port: 8080, path: / }
files:
  - from: run.sh
    to: bin/run
    executable: true
`;

const refusal = (yaml: string): string[] => {
  try {
    readRecipe(yaml, 'recipe.yaml');
  } catch (error) {
    if (error instanceof LichenError && (error.code === 'bad-recipe' || error.code === 'too-large')) return error.detail.split('\n');
    throw error;
  }
  return [];
};

/** The good recipe with one thing changed, and what is said to that. */
const change = (from: string | RegExp, to: string): string => {
  const changed = GOOD.replace(from, to);
  expect(changed).not.toBe(GOOD);
  return changed;
};

describe('a recipe', () => {
  test('is read, numbers as the text they were, with what it leaves out filled in', () => {
    expect(readRecipe(GOOD, 'recipe.yaml').recipe).toEqual({
      name: 'demo',
      label: '1',
      arch: 'any',
      engine: 'none',
      args: ['/bin/run', '--every={{interval-ms}}'],
      env: {},
      parameters: { 'interval-ms': '500' },
      limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 },
      promises: [{ name: 'web', probe: { kind: 'http', port: 8080, path: '/' }, intervalMs: 10_000, timeoutMs: 2_000, graceMs: 15_000 }],
      demands: 'dev',
      files: [{ from: 'run.sh', to: 'bin/run', executable: true }],
    });
  });

  const wrong: [string, string | RegExp, string, string[]][] = [
    ['a misspelt key', 'label: 1', 'labl: 1', ['1:1: the key "label" is missing', '2:1: unknown key "labl"; did you mean "label"?']],
    ['a key that is far from all', 'label: 1', 'label: 1\nqqqqqqqq: 1', [/^3:1: unknown key "qqqqqqqq"; known here: name, label, /.source]],
    ['a misspelt limit', 'cpuMillis: 100', 'cpuMilis: 100, cpuMillis: 100', ['6:26: unknown key "cpuMilis"; did you mean "cpuMillis"?']],
    [
      'a misspelt key in a promise',
      '- name: web',
      '- name: web\n    intervallMs: 5',
      ['9:5: unknown key "intervallMs"; did you mean "intervalMs"?'],
    ],
    ['a misspelt key in a probe', 'port: 8080', 'port: 8080, prot: 1', ['9:38: unknown key "prot"; did you mean "port"?']],
    ['a misspelt key of a file', 'executable: true', 'executabel: true', ['13:5: unknown key "executabel"; did you mean "executable"?']],
    ['a source of no kind', 'from: run.sh', 'form: run.sh', [/^11:5: expected a source: .*; did you mean "from"\?$/.source]],
    ['a source that is a word', '- from: run.sh\n    to: bin/run\n    executable: true', '- run.sh', [/^11:5: expected a source/.source]],
    ['an unknown kind of promise', 'kind: http', 'kind: htp', [/^9:20: kind: .*"http" \| "tcp" \| "exec"/.source]],
    ['a port of a string', 'port: 8080', 'port: "8080"', [/^9:32: port: /.source]],
    [
      'an absolute place',
      'to: bin/run',
      'to: /bin/run',
      ['12:9: to: /bin/run: write it without the leading "/"; it counts from the root of the release'],
    ],
    ['a way out', 'from: run.sh', 'from: ../run.sh', [/^11:11: from: \.\.\/run\.sh: .*"\.\."/.source]],
    [
      'a hook without a snapshot',
      'label: 1',
      'label: 1\ndata: { onUpdate: keep, after: { args: [/bin/run], withinMs: 1 } }',
      ['3:25: after: only with "onUpdate: snapshot", from which what it began can be begun anew'],
    ],
    [
      'a hook that names no parameter',
      'label: 1',
      'label: 1\ndata: { onUpdate: snapshot, before: { args: [/bin/run, "{{interval}}"], withinMs: 1 } }',
      ['3:56: {{interval}} is not a parameter; did you mean "interval-ms"?'],
    ],
    [
      'a hook without an end',
      'label: 1',
      'label: 1\ndata: { onUpdate: snapshot, after: { args: [/bin/run], within: 1 } }',
      ['3:36: the key "withinMs" is missing', '3:56: unknown key "within"; did you mean "withinMs"?'],
    ],
    ['a relative program', '/bin/run', 'bin/run', ['3:8: the program is an absolute path inside the release']],
    ['an unknown parameter', '{{interval-ms}}', '{{interval}}', ['3:18: {{interval}} is not a parameter; did you mean "interval-ms"?']],
    ['a fraction', 'interval-ms: 500', 'interval-ms: 0.5', ['5:16: interval-ms: expected a text; put it in quotes']],
    ['a parameter with a bad name', 'interval-ms: 500', 'interval-ms: 500\n  Big: 1', [/^6:3: expected a name/.source]],
    ['a variable of the parameters', 'parameters:', 'env: { LICHEN_X: 1 }\nparameters:', [/^4:8: not a name of a variable/.source]],
    [
      'two promises of one name',
      'promises:',
      'promises:\n  - { name: web, probe: { kind: tcp, port: 1 } }',
      ['9:11: two promises are called "web"'],
    ],
    [
      'a package that is an option',
      'from: run.sh\n    to: bin/run\n    executable: true',
      'package: -o\n    files: [{ from: a, to: a }]',
      ['11:14: package: not a name of a Debian package'],
    ],
    [
      'a package without files',
      'from: run.sh\n    to: bin/run\n    executable: true',
      'package: busybox\n    files: []',
      ['12:12: files: list the files that are wanted from the package'],
    ],
    ['no files', /files:[\s\S]*/, 'files: []\n', ['10:8: files: a release holds at least one file']],
    ['a key that is there twice', 'label: 1', 'label: 1\nlabel: 2', ['3:1: Map keys must be unique']],
    ['an unknown tag', 'label: 1', 'label: !secret 1', [/^2:8: Unresolved tag/.source]],
    ['no YAML', 'label: 1', 'label: [', [/^3:1: |^2:/.source]],
  ];
  test.each(wrong)('with %s is refused, and says where', (_name, from, to, expected) => {
    const said = refusal(change(from, to));
    expect(said.slice(0, expected.length)).toEqual(
      expected.map((line) =>
        line.startsWith('^') ? expect.stringMatching(new RegExp(line.replaceAll('^', '^recipe\\.yaml:'))) : `recipe.yaml:${line}`,
      ),
    );
  });

  test('that is no map, or nothing, is refused', () => {
    for (const yaml of ['', '7', '- a', 'null']) expect(refusal(yaml)[0]).toMatch(/^recipe\.yaml:1:1: /);
  });

  test('that grows when it is read is refused', () => {
    const layers = Array.from(
      { length: 9 },
      (_, at) =>
        `a${at}: &a${at} [${
          at === 0
            ? '1,1,1,1,1,1,1,1,1'
            : Array(9)
                .fill(`*a${at - 1}`)
                .join()
        }]`,
    );
    expect(refusal(layers.join('\n'))[0]).toMatch(/alias/);
  });

  test('has at most so many bytes, parameters and promises', () => {
    expect(refusal(`${GOOD}#${'x'.repeat(LIMITS.manifestBytes)}`)[0]).toMatch(/at most 65536/);
    const parameters = (count: number) =>
      change('parameters:', `parameters:\n${Array.from({ length: count - 1 }, (_, at) => `  p${at}: x\n`).join('')}`);
    expect(refusal(parameters(LIMITS.parameters))).toEqual([]);
    expect(refusal(parameters(LIMITS.parameters + 1))).toEqual([`recipe.yaml:4:1: at most ${LIMITS.parameters} parameters`]);
    const promises = (count: number) =>
      change(
        'promises:',
        `promises:\n${Array.from({ length: count - 1 }, (_, at) => `  - { name: p${at}, probe: { kind: tcp, port: 1 } }\n`).join('')}`,
      );
    expect(refusal(promises(LIMITS.promises))).toEqual([]);
    expect(refusal(promises(LIMITS.promises + 1))).toEqual([expect.stringMatching(/^recipe\.yaml:8:3: promises: at most 8 promises$/)]);
  });

  test('says what it reaches, and stands so in its manifest', () => {
    const reaching = `${GOOD}devices: [gpio, "usb:0403:6001"]
network:
  outbound:
    - { to: internet, port: 443 }
    - { to: ntp.example.org, port: 123, protocol: udp }
  links: [{ name: db, port: 5432 }]
  publish: [{ name: web, port: 80 }]
`;
    expect(reachOf(readRecipe(reaching, 'recipe.yaml').recipe)).toEqual({
      network: {
        outbound: [
          { to: 'internet', port: 443, protocol: 'tcp' },
          { to: 'ntp.example.org', port: 123, protocol: 'udp' },
        ],
        dns: false,
        links: [{ name: 'db', port: 5432, protocol: 'tcp' }],
        publish: [{ name: 'web', port: 80, protocol: 'tcp' }],
      },
      devices: ['gpio', 'usb:0403:6001'],
    });
    expect(reachOf(readRecipe(GOOD, 'recipe.yaml').recipe)).toEqual({});
  });

  test.each<[string, string, string]>([
    ['a kind of device that is none', 'devices: [gpoi]', '14:11: expected one of gpio, i2c'],
    ['a device twice', 'devices: [gpio, gpio]', '14:17: gpio is named twice'],
    ['a destination that is none', 'network: { outbound: [{ to: localhost, port: 1 }] }', '14:29: to: expected "internet"'],
    ['a port that is none', 'network: { outbound: [{ to: internet, port: 70000 }] }', '14:45: port: '],
    [
      'one name for two ports',
      'network: { publish: [{ name: a, port: 1 }, { name: a, port: 2 }] }',
      '14:52: two published ports are called "a"',
    ],
    ['a misspelt key of the network', 'network: { outbond: [] }', '14:12: unknown key "outbond"; did you mean "outbound"?'],
  ])('with %s is refused, and says where', (_name, line, expected) => {
    const said = refusal(`${GOOD}${line}\n`);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`recipe.yaml:${expected}`);
  });

  test('points at what stands behind an alias', () => {
    const yaml = change('limits: {', 'limits: &l { memoryMb: 1,');
    expect(refusal(yaml)).toEqual(['recipe.yaml:6:14: unknown key "memoryMb"; did you mean "memoryMib"?']);
  });
});

describe('the nearest word', () => {
  test.each([
    ['lable', 'label'],
    ['LABEL', 'label'],
    ['label', 'label'],
    ['file', 'files'],
    ['zzzzz', null],
    ['', null],
  ])('to %j is %j', (word, expected) => expect(nearest(word, ['label', 'limits', 'files'])).toBe(expected));
});

/** docs/cli.md: what the help of every verb says, in one file. A test fails when it is not this. */
import type { Command } from 'commander';
import { ERRORS } from '../../runtime/protocol/errors.ts';

const helpOf = (command: Command): string => {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHasColors: () => false, getOutHelpWidth: () => 110 });
  command.outputHelp();
  return text.trimEnd();
};

const fenced = (text: string): string => `\`\`\`text\n${text}\n\`\`\``;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const sectionOf = (command: Command, path: string): string[] =>
  command.commands.length === 0
    ? [`## ${path}`, fenced(helpOf(command))]
    : [
        `## ${path}`,
        capital(`${command.description()}.`),
        ...command.commands.flatMap((verb) => [`### ${path} ${verb.name()}`, fenced(helpOf(verb))]),
      ];

const exitTable = (): string => {
  const codes = new Map<number, string[]>();
  for (const [code, { exit }] of Object.entries(ERRORS)) codes.set(exit, [...(codes.get(exit) ?? []), `\`${code}\``]);
  const rows = [...codes].sort(([a], [b]) => a - b).map(([exit, names]) => `| ${exit} | ${names.join(', ')} |`);
  return ['| status | errors |', '|---|---|', '| 0 | none |', ...rows].join('\n');
};

const PREFACE = `# The command line

This file is generated from the command line itself (\`gateway/cli/reference.ts\`); \`LICHEN_UPDATE=1 npm test -- test/gateway/cli/reference.test.ts\`
writes it anew.

Data goes to stdout, messages go to stderr. Nothing ever asks a question, but for the passphrase of a key that is under one: at the terminal, if
\`LICHEN_PASSPHRASE_FILE\` names no file with it, and without a terminal it is refused. With \`--json\` the last line of stdout is one JSON value: that of the
verb, whose keys its help lists, or \`{"error": {"code", "says", "why", "next"}}\`. Further keys may be added, none is taken away within a
major version. Bytes are hex, counters and money are decimal strings: prices in nano-units of the currency, amounts in micro-units.

Where money is typed it is in units of the currency, \`1.50\`, or with a prefix: \`20n\`, \`3.5u\`, \`2m\` for nano, micro and milli. Durations are
\`90s\`, \`5m\`, \`12h\`, \`30d\`; a bare number is milliseconds. A key is named by its file, or by its public half in 64 digits of hex.`;

const EXCEPTIONS =
  'Some verbs answer and still do not end with 0: `lichen doctor` ends with 69 when something is broken, `lichen invoice audit` with 65 when there are\nfindings, `lichen sim run` and `lichen sim replay` with 1 when a promise broke or an expectation did not come true.';

const RUNTIME = `The program of a board is another one: on an image it is started by itself, from a clone by \`npm run lichen-runtime -- --data DIR …\`, and
\`npm run build\` writes it into one file, \`dist/lichen-runtime.mjs\`, for any Node from 24 on.`;

/** `runtimeHelp`: what the board's own program says, which is no part of this one. */
export const makeReference = (program: Command, runtimeHelp: string): string =>
  `${[PREFACE, fenced(helpOf(program)), ...program.commands.flatMap((noun) => sectionOf(noun, `lichen ${noun.name()}`)), '## lichen-runtime', RUNTIME, fenced(runtimeHelp.trimEnd()), '## Exit status', exitTable(), EXCEPTIONS].join('\n\n')}\n`;

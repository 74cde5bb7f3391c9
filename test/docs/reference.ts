/** docs/reference.md, made from the tables that the code itself runs on. */
import { API } from '../../runtime/protocol/api.ts';
import { ERRORS } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { TOPICS, topicOf } from '../../runtime/protocol/topics.ts';
import { HARDWARE } from '../../sim/hardware/profiles.ts';
import { CODES } from '../../sim/oracle/codes.ts';
import { FAULTS, type FaultRow } from '../../sim/scenario/faults.ts';
import { OBSERVABLES } from '../../sim/scenario/observables.ts';

const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');

const topics = (): string =>
  table(
    ['topic', 'direction', 'QoS', 'max bytes', 'signed by', 'says'],
    (Object.keys(TOPICS) as (keyof typeof TOPICS)[]).map((name) => {
      const { party, direction, qos, maxBytes, signer, says } = TOPICS[name];
      return [
        `\`${topicOf(name, `<${party}>`)}\``,
        direction === 'up' ? `${party} → gateway` : `gateway → ${party}`,
        String(qos),
        String(maxBytes),
        signer ?? 'session',
        says,
      ];
    }),
  );

const calls = (): string =>
  table(
    ['call', 'route', "operator's token", 'says'],
    Object.entries(API).map(([name, { method, path, admin, says }]) => [`\`${name}\``, `\`${method} ${path}\``, admin ? 'yes' : '', says]),
  );

const errors = (): string =>
  table(
    ['code', 'exit', 'HTTP', 'says', 'what to do next'],
    Object.entries(ERRORS).map(([code, { exit, http, says, next }]) => [`\`${code}\``, String(exit), String(http), says, next]),
  );

const limits = (): string =>
  table(
    ['limit', 'number'],
    Object.entries(LIMITS).map(([name, value]) => [`\`${name}\``, String(value)]),
  );

const faults = (): string =>
  table(
    ['fault', 'befalls a', '`for`', 'takes', 'what happens'],
    Object.entries<FaultRow>(FAULTS).map(([kind, { on, lasts, takes, says }]) => [
      `\`${kind}\``,
      on,
      { span: 'needed', moment: 'none', either: 'without it, for good' }[lasts],
      Object.entries(takes)
        .map(([word, what]) => `\`${word}\`: ${'words' in what ? what.words.join(', ') : what.unit} (${what.usual})`)
        .join('; '),
      says,
    ]),
  );

const observables = (): string =>
  table(
    ['`see`', '`of` names a', 'what it counts'],
    Object.entries(OBSERVABLES).map(([name, { of, says }]) => [`\`${name}\``, of, says]),
  );

const profiles = (): string =>
  table(
    ['profile', 'board', 'cores', 'MiB', 'of them for the system', 'watts idle and busy', 'boots in s'],
    Object.entries(HARDWARE).map(([name, { title, cores, memoryMib, systemMib, idleWatts, maxWatts, bootMs }]) => [
      `\`${name}\``,
      title,
      String(cores),
      String(memoryMib),
      String(systemMib),
      `${idleWatts} and ${maxWatts}`,
      String(bootMs / 1000),
    ]),
  );

const findings = (): string =>
  table(
    ['promise', 'what the judge calls it'],
    [...new Set(Object.values(CODES))].map((promise) => [
      String(promise),
      Object.entries(CODES)
        .filter(([, of]) => of === promise)
        .map(([code]) => `\`${code}\``)
        .join(', '),
    ]),
  );

export const reference = (): string =>
  `# Reference

Made from the tables in \`runtime/protocol\` and \`sim\`; a test fails when it drifts (\`LICHEN_UPDATE=1\` writes it anew).

## Topics
MQTT 3.1.1 over TLS 1.3 (ALPN \`mqtt\`), clean sessions, nothing retained.

${topics()}

## HTTP API
Bodies and answers are JSON unless said otherwise; money and counters are decimal strings, bytes are hex.

${calls()}

## Errors
The exit status is that of the command line (sysexits.h).

${errors()}

## Limits
Bytes, milliseconds and seconds as the name's last word says; else a count.

${limits()}

## The simulator
How a scenario is written stands in [simulator.md](simulator.md).

### Boards
${profiles()}

### Faults and deeds
In a \`timeline\` at a moment, in \`faults\` as often as chance has it.

${faults()}

### What an expectation can look at
${observables()}

### What the judge may find
By the number of the promise that is broken.

${findings()}
`;

/** Answers each share's path with the way to where its tenant says. Whom it serves it reads at the start and upon SIGHUP. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connectionsOf, type Share, signsOf } from './signs.ts';

const PORT = 8080;
const GIVEN = '/run/lichen/shares.json';
const SAID = '/run/lichen/out/shares.json';
const CONNECTIONS_MAX = 64;
const REQUEST_MS = 5_000;

let signs = new Map<string, string>();

const readSigns = (): void => {
  // What a board gives has been held against the schemas of recipe.yaml.
  const shares: Share[] = JSON.parse(readFileSync(GIVEN, 'utf8'));
  signs = signsOf(shares);
  writeFileSync(`${SAID}.next`, JSON.stringify(connectionsOf(shares, PORT)));
  renameSync(`${SAID}.next`, SAID);
};

const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 8192 }, (request, response) => {
  const to = signs.get((request.url ?? '/').split('?')[0] ?? '/');
  const text = to === undefined ? 'There is no such sign.\n' : `It leads to ${to}\n`;
  response.writeHead(to === undefined ? 404 : 302, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...(to !== undefined && { location: to }),
  });
  response.end(text);
});
server.maxConnections = CONNECTIONS_MAX;
server.on('error', (error) => {
  process.stderr.write(`port ${PORT}: ${error.message}\n`);
  process.exit(69);
});
process.on('SIGHUP', readSigns);
// `::` takes IPv4 too, where there is any.
server.listen(PORT, '::', readSigns);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}

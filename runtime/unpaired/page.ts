/**
 * What a board shows on its network until it is paired: one page and the same as JSON, to be read only and without a secret. A stranger may
 * be on that network: connections, bytes and seconds have an end, and nothing that is sent changes anything.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type HardwareReport, reportRows, reportText } from '../protocol/hardware-report.ts';
import { LIMITS } from '../protocol/limits.ts';
import { printable } from '../protocol/printable.ts';

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => printable(text).replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '');

const STYLE = `body{font:16px/1.4 system-ui,sans-serif;max-width:50em;margin:2em auto;padding:0 1em}
td{padding:.2em 1em .2em 0;vertical-align:top;overflow-wrap:anywhere}td:first-child{white-space:nowrap;color:#666}
code{font-size:1.6em}pre{white-space:pre-wrap}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}`;

/** One file: nothing is fetched besides, and nothing in it runs. */
export const pageOf = (report: HardwareReport): string => {
  const rows = reportRows(report).map(([name, says]) => `<tr><td>${escaped(name)}<td>${escaped(says)}`);
  const said = (report.running?.said ?? []).map(escaped).join('\n');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Lichen board ${escaped(report.running?.hostname ?? '')}</title><style>${STYLE}</style>
<h1>This board waits to be paired</h1>
<p>Compare its code with what its screen says: <code>${escaped(report.running?.code ?? '')}</code></p>
<p>${escaped(report.running?.waits ?? '')}</p>
<table>${rows.join('\n')}</table>
<h2>What its start said</h2><pre>${said}</pre>
<p><a href="/report.txt">report.txt</a> and <a href="/report.json">report.json</a> say the same, for telling others. This page is gone once the board is paired.</p>
</html>
`;
};

const SHAPES: Record<string, [type: string, of: (report: HardwareReport) => string]> = {
  '/': ['text/html; charset=utf-8', pageOf],
  '/report.txt': ['text/plain; charset=utf-8', (report) => `${reportText(report)}\n`],
  '/report.json': ['application/json', (report) => `${JSON.stringify(report)}\n`],
};

const answer = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
};

export interface Page {
  port: number;
  close(): void;
}

export interface PageOptions {
  host: string;
  port: number;
  report(): Promise<HardwareReport>;
}

/** Rejects when the port cannot be had. */
export const openPage = ({ host, port, report }: PageOptions): Promise<Page> => {
  const server = createServer(
    { maxHeaderSize: LIMITS.pageRequestBytes, keepAlive: false, connectionsCheckingInterval: LIMITS.pageMs / 4 },
    (request, response) => {
      const [path = '/'] = (request.url ?? '/').split('?');
      const shape = Object.hasOwn(SHAPES, path) ? SHAPES[path] : undefined;
      const asks = request.method === 'GET' || request.method === 'HEAD';
      // Nothing that a reader sends beside its question is read.
      if (!asks || request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
        return answer(response, 405, 'text/plain', 'This page is only there to be read: GET /.\n');
      if (shape === undefined) return answer(response, 404, 'text/plain', 'There are /, /report.txt and /report.json.\n');
      report().then(
        (found) => answer(response, 200, shape[0], shape[1](found)),
        () => answer(response, 500, 'text/plain', 'The board could not be read. Try again.\n'),
      );
    },
  );
  server.maxConnections = LIMITS.pageConnections;
  server.headersTimeout = LIMITS.pageMs;
  server.requestTimeout = LIMITS.pageMs;
  server.setTimeout(LIMITS.pageMs, (socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address: AddressInfo | string | null = server.address();
      const close = (): void => {
        server.close();
        server.closeAllConnections();
      };
      resolve({ port: typeof address === 'object' && address !== null ? address.port : port, close });
    });
  });
};

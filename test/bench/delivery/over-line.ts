/**
 * `over-line.ts MEBIBYTES FAR...`: at the near end of a line, one release to a board at its far end, and as many bytes over a bare TLS
 * stream there. Prints one line of JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type TlsOptions } from 'node:tls';
import { identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { utf8 } from '../../../runtime/protocol/bytes.ts';
import { NEAR } from './line.ts';
import { receive } from './received.ts';
import { Stage } from './stage.ts';

const [mebibytes = '1', ...far] = process.argv.slice(2);
const BYTES = Number(mebibytes) * 1024 * 1024;
const BARE_PORT = 28_900;
const PATIENCE_MS = 240_000;

/** Receives all of it and says how long that took, from the first bytes to the last. */
const CLIENT = `
const tls = require('node:tls');
let [began, bytes] = [0, 0];
const socket = tls.connect({ host: '${NEAR}', port: ${BARE_PORT}, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
socket.on('data', (data) => { if (bytes === 0) began = performance.now(); bytes += data.length; });
socket.on('end', () => console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, bytes })));
`;

const bare = async (): Promise<{ seconds: number; bytes: number }> => {
  const { certificatePem, privateKeyPem } = identityFromSeed(nodeCrypto.sha256(utf8('bare')), 'bare');
  const options: TlsOptions = { cert: certificatePem, key: privateKeyPem, minVersion: 'TLSv1.3' };
  const server = createServer(options, (socket) => {
    socket.on('error', () => {});
    socket.end(Buffer.alloc(BYTES, 1));
  });
  server.listen(BARE_PORT, NEAR);
  await once(server, 'listening');
  const [file = '', ...args] = [...far, process.execPath, '-e', CLIENT];
  const client = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: PATIENCE_MS });
  const [said] = await once(client.stdout, 'data');
  server.close();
  return JSON.parse(String(said));
};

const stage = new Stage(NEAR);
try {
  await stage.open();
  const { data, child } = await stage.board('far board', far, 'dev');
  try {
    const payload = stage.payload('blob', BYTES);
    await stage.pushPayload(payload);
    await stage.request('blob', payload);
    const ours = await receive(data, payload, child.pid, PATIENCE_MS);
    process.stdout.write(`${JSON.stringify({ ours, bare: await bare() })}\n`);
  } finally {
    await child.end();
  }
} finally {
  await stage.close();
}

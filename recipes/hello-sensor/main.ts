/** Reads every `LICHEN_INTERVAL_MS` milliseconds and serves what it read on port 8080. */
import { openClocks } from './clocks.ts';
import { publish } from './connection.ts';
import { openKernelFiles } from './files.ts';
import { openReadings } from './readings.ts';
import { createSensorServer } from './server.ts';
import { openSources } from './sources.ts';

const INTERVAL_MS = { min: 100, max: 60_000, usual: 1000 };
const PORT = 8080;

const text = process.env.LICHEN_INTERVAL_MS ?? String(INTERVAL_MS.usual);
const intervalMs = Number(text);
if (!Number.isInteger(intervalMs) || intervalMs < INTERVAL_MS.min || intervalMs > INTERVAL_MS.max) {
  process.stderr.write(`interval-ms is ${INTERVAL_MS.min} to ${INTERVAL_MS.max}, not "${text}"\n`);
  process.exit(64);
}

const clocks = openClocks();
const readings = openReadings(openSources(openKernelFiles(), clocks));
const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
// Two rounds may fail before the promise does.
const server = createSensorServer({ readings, now, freshMs: 3 * intervalMs + 1000 });

readings.round(now());
const timer = setInterval(() => readings.round(now()), intervalMs);
server.on('error', (error) => {
  process.stderr.write(`port ${PORT}: ${error.message}\n`);
  process.exit(69);
});
// `::` takes IPv4 too, where there is any.
server.listen(PORT, '::', () => publish({ port: PORT, path: '/' }));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    clearInterval(timer);
    server.close();
    server.closeAllConnections();
  });
}

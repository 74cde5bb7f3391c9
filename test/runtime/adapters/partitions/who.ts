/** Answers whoever asks with the address that they came from, by TCP and UDP; says each on its output. Argument: port. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const port = Number(process.argv[2]);
const plain = (address = ''): string => address.replace(/^::ffff:/, '');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const udp = createSocket('udp6', (bytes, { address }) => say(`udp ${plain(address)} ${bytes.toString().trim()}`));
udp.bind(port, '::');
const tcp = createServer({ allowHalfOpen: true }, (socket) => {
  say(`tcp ${plain(socket.remoteAddress)}`);
  socket.on('error', () => undefined);
  let received = 0;
  socket.on('data', (bytes) => {
    received += bytes.length;
    if (bytes.length < 100) say(`said ${bytes.toString().trim()}`);
  });
  // Whoever sends much gets as much back.
  socket.on('end', () => socket.end(received > 0 ? Buffer.alloc(received) : `${plain(socket.remoteAddress)}\n`));
});
tcp.listen({ port, host: '::' }, () => say('ready'));
process.stdin.resume().on('end', () => process.exit(0));

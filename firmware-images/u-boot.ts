/** What U-Boot reads beside a kernel, as its own tools would write it. */
import { crc32 } from 'node:zlib';

const [MAGIC, HEAD_BYTES, ENVIRONMENT_BYTES] = [0x27051956, 64, 0x4000];
/** Linux, arm64, a script, not packed. */
const KIND = [5, 22, 6, 0];

/** A script in U-Boot's wrapping (include/image.h, "legacy_img_hdr"): the sums stand before what they are of. */
export const scriptImage = (name: string, script: string): Buffer => {
  const text = Buffer.from(script);
  // As many lengths as there are parts, and a zero.
  const body = Buffer.alloc(8 + text.length);
  body.writeUInt32BE(text.length, 0);
  text.copy(body, 8);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt32BE(body.length, 12);
  head.writeUInt32BE(crc32(body), 24);
  head.set(KIND, 28);
  head.write(name, 32, 'latin1');
  head.writeUInt32BE(crc32(head), 4);
  return Buffer.concat([head, body]);
};

/** Its settings, for as much room as its build has (env/common.c): they take the place of all that it was built with. */
export const environment = (settings: Record<string, string>): Buffer => {
  const whole = Buffer.alloc(ENVIRONMENT_BYTES);
  const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\0`);
  whole.write(text.join(''), 4, 'latin1');
  whole.writeUInt32LE(crc32(whole.subarray(4)), 0);
  return whole;
};

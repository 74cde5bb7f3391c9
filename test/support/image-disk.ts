/** A disk as images are, made by hand. */
import { uuidOf } from '../../firmware-images/disk.ts';

const MIB = 1024 * 1024;

/** As the standard has it, as far as it is read: two partitions of two mebibytes, and a tail. */
export const disk = (): Buffer => {
  const image = Buffer.alloc(6 * MIB);
  image.write('EFI PART', 512, 'latin1');
  const [a = '', b = '', c = '', ...rest] = uuidOf('pi').split('-');
  const turned = (hex: string): Buffer => Buffer.from(hex, 'hex').reverse();
  Buffer.concat([turned(a), turned(b), turned(c), Buffer.from(rest.join(''), 'hex')]).copy(image, 512 + 56);
  image.writeBigUInt64LE(2n, 512 + 72);
  image.writeUInt32LE(128, 512 + 80);
  image.writeUInt32LE(128, 512 + 84);
  for (const [row, name] of ['lichen-boot', 'lichen-root-a'].entries()) {
    const entry = 1024 + row * 128;
    image.writeBigUInt64LE(BigInt(2048 + row * 4096), entry + 32);
    image.writeBigUInt64LE(BigInt(2048 + row * 4096 + 4095), entry + 40);
    image.write(name, entry + 56, 'utf16le');
  }
  image.fill(7, MIB, MIB + 100);
  image.fill(8, MIB + 300 * 1024, MIB + 300 * 1024 + 1);
  image.fill(9, 3 * MIB, 3 * MIB + 4097);
  return image;
};

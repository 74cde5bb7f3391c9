/** A claim as people and images carry it: one line, `LICHEN1:` and base32. */
import { base32, fromBase32 } from './bytes.ts';
import { refuse } from './errors.ts';
import { decodeAs, encodeAs } from './noun.ts';
import { type Claim, claim } from './nouns/messages.ts';

const PREFIX = 'LICHEN1:';

export const formatClaim = (value: Claim): string => PREFIX + base32(encodeAs(claim, value, 'claim')).toUpperCase();

/** Upper case suits QR codes (alphanumeric mode); either case is read. */
export const parseClaim = (line: string): Claim => {
  const trimmed = line.trim();
  if (!trimmed.toUpperCase().startsWith(PREFIX)) refuse('bad-schema', 'a claim begins with LICHEN1:');
  return decodeAs(claim, fromBase32(trimmed.slice(PREFIX.length).toLowerCase()), 'claim');
};

/** What a probe found, and what it finds in a text. */
export interface Probed {
  ok: boolean;
  detail: string;
}

/** The first number in a text, held against what it is to lie between. */
export const probedNumber = (text: string, { min, max }: { min: string; max: string }): Probed => {
  const found = /-?\d+(\.\d+)?/.exec(text)?.[0];
  if (found === undefined) return { ok: false, detail: 'no number' };
  const ok = Number(found) >= Number(min) && Number(found) <= Number(max);
  return { ok, detail: ok ? found : `${found} is not between ${min} and ${max}` };
};

/** Text on its way to a terminal. */

/** What a terminal obeys, and what turns the order of letters around: C0 but tab and line feed, DEL, C1, Unicode's bidi controls. */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const spelled = (character: string): string => {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

/** Spells out what would be obeyed; done twice it changes nothing more. */
export const printable = (text: string): string => text.replace(OBEYED, spelled);

const encoder = new TextEncoder();

/**
 * The beginning of a text, of at most so many bytes of UTF-8 and whole characters. What others say is cut by it wherever it goes into a
 * document: that takes bytes, and no half of a character.
 */
export const beginning = (text: string, bytesMax: number): string => {
  const whole = text.toWellFormed();
  if (3 * whole.length <= bytesMax) return whole;
  return whole.slice(0, encoder.encodeInto(whole, new Uint8Array(bytesMax)).read);
};

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** Of what is one line where it is listed: whatever would begin another, or another column, is spelled out as well. */
export const printableLine = (text: string): string => printable(text).replace(/[\t\n]/g, spelled);

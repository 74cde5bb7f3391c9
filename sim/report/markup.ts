/** Text from a scenario on its way into HTML or XML. */

const NAMED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Characters that XML 1.0 cannot hold, not even as references (§2.2): a report with one would not parse at all. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** For text and for quoted attributes, in HTML and in XML. */
export const escaped = (text: string): string => text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"']/g, (sign) => NAMED[sign] ?? sign);

/** A newline in an attribute would be read as a space (XML 1.0 §3.3.3). */
export const attribute = (text: string): string =>
  escaped(text).replaceAll('\n', '&#10;').replaceAll('\r', '&#13;').replaceAll('\t', '&#9;');

/** Fit to stand in a `<script type="application/json">`: nothing in it ends the element or begins a comment. */
export const scriptJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

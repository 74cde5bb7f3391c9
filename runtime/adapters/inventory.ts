/** What this machine calls itself, for people. systeminformation knows many boards; it is loaded once and only for this. */
const PATIENCE_MS = 3_000;
const UNKNOWN = 'unknown board';

/** Never fails: a board that cannot say what it is works all the same. */
export const boardModel = async (): Promise<string> => {
  const asked = import('systeminformation').then(async ({ system }) => {
    const { manufacturer, model } = await system();
    return `${manufacturer} ${model}`.trim().slice(0, 120) || UNKNOWN;
  });
  const late = new Promise<string>((resolve) => setTimeout(resolve, PATIENCE_MS, UNKNOWN).unref());
  return Promise.race([asked.catch(() => UNKNOWN), late]);
};

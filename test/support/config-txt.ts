/** What the firmware of one kind of Pi goes by, with what is said for all of them (raspberrypi.com, "config.txt", "Conditional filters"). */
export const settingsFor = (kind: string, config: string): Map<string, string> => {
  let isMeant = true;
  const settings = new Map<string, string>();
  for (const line of config.split('\n')) {
    const [, filter] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (filter !== undefined) isMeant = filter === 'all' || filter === kind;
    const [, key = '', value = ''] = /^(\w+)[= ](.*)$/.exec(line) ?? [];
    if (isMeant && key !== '') settings.set(key, value);
  }
  return settings;
};

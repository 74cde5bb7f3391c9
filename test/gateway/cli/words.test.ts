/** The words of a command line: exact where money is concerned, strict everywhere, and each refusal names its flag. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ratesOf } from '../../../gateway/cli/rates.ts';
import { duration, hexBytes, hostPort, money, pairs, showMoney, wholeNumber } from '../../../gateway/cli/words.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';

const refusal = (run: () => unknown): string => {
  try {
    return `accepted: ${String(run())}`;
  } catch (thrown) {
    return thrown instanceof LichenError ? `${thrown.code}: ${thrown.detail}` : String(thrown);
  }
};

describe('money', () => {
  test.each([
    ['1', 6, 1_000_000n],
    ['1.50', 6, 1_500_000n],
    ['0.000001', 6, 1n],
    ['20n', 9, 20n],
    ['3.5u', 9, 3500n],
    ['2m', 6, 2000n],
    ['1000n', 6, 1n],
    ['1.5000000', 6, 1_500_000n],
    ['0', 9, 0n],
  ])('%s at %i decimals', (text, decimals, amount) => expect(money(text, decimals, '--cap')).toBe(amount));

  test.each(['', '-1', '1,5', '.5', '1.', '1e3', '5 EUR', '0x10', '1k', '٣'])('%j is refused', (text) =>
    expect(refusal(() => money(text, 6, '--cap'))).toMatch(/^bad-usage: --cap/),
  );

  test.each([
    ['0.0000001', 6],
    ['1n', 6],
    ['1.5n', 9],
  ])('%s is finer than %i decimals and never rounded', (text, decimals) =>
    expect(refusal(() => money(text, decimals, '--cap'))).toMatch(/^bad-usage: --cap .* finer/),
  );

  test('what is shown reads back as the same amount', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 14n }), fc.constantFrom(3, 6, 9), (amount, decimals) => {
        expect(money(showMoney(amount, decimals), decimals, 'x')).toBe(amount);
      }),
    );
  });

  test('rates are nano-units; what is not named stays', () => {
    const otherwise = { wallHour: 7n, cpuSecond: 7n, memoryMibHour: 7n, netMib: 7n, diskMib: 7n, dataMibHour: 7n };
    expect(ratesOf(['wallHour=0.002', 'cpuSecond=20n'], '--rate', otherwise)).toEqual({
      ...otherwise,
      wallHour: 2_000_000n,
      cpuSecond: 20n,
    });
    expect(refusal(() => ratesOf(['gpu=1'], '--rate', otherwise))).toMatch(/--rate knows wallHour/);
    expect(refusal(() => ratesOf(['netMib=1', 'netMib=2'], '--rate', otherwise))).toMatch(/--rate netMib is given twice/);
  });
});

describe('the other words', () => {
  test.each([
    ['1500', 1500],
    ['1500ms', 1500],
    ['90s', 90_000],
    ['5m', 300_000],
    ['12h', 43_200_000],
    ['365d', 31_536_000_000],
  ])('%s is %i ms', (text, ms) => expect(duration(text, '--patience')).toBe(ms));
  test.each(['', '0', '5w', '-1s', '1.5h', '999999999999d'])('%j is no duration', (text) =>
    expect(refusal(() => duration(text, '--patience'))).toMatch(/^bad-usage: --patience/),
  );

  test.each([
    ['127.0.0.1:8883', '127.0.0.1', 8883],
    ['gateway.example:1', 'gateway.example', 1],
    ['[::1]:0', '::1', 0],
  ])('%s', (text, host, port) => expect(hostPort(text, '--listen')).toEqual({ host, port }));
  test.each(['', 'host', 'host:', ':80', '::1:80', 'host:65536', 'host:80:90', 'a b:80', '[::1]'])('%j is no host:port', (text) =>
    expect(refusal(() => hostPort(text, '--listen'))).toMatch(/^bad-usage: --listen/),
  );

  test('numbers, keys and pairs', () => {
    expect(wholeNumber('32', '--replicas', 1, 64)).toBe(32);
    for (const text of ['0', '65', '', '1.5', '1e1', ' 1', '99999999999999999'])
      expect(refusal(() => wholeNumber(text, '--replicas', 1, 64))).toMatch(/--replicas is a whole number from 1 to 64/);
    expect(hexBytes('0f'.repeat(32), '--key')).toEqual(new Uint8Array(32).fill(15));
    for (const text of ['0F'.repeat(32), '0f'.repeat(31), '']) expect(refusal(() => hexBytes(text, '--key'))).toMatch(/^bad-usage: --key/);
    expect(pairs(['a=1', 'b=x=y', 'c='], '--param')).toEqual({ a: '1', b: 'x=y', c: '' });
    for (const text of ['a', '=1']) expect(refusal(() => pairs([text], '--param'))).toMatch(/--param is key=value/);
  });
});

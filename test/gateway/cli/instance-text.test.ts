import { expect, test } from 'vitest';
import type { Instance } from '../../../gateway/cli/answers.ts';
import { instanceText } from '../../../gateway/cli/instance-text.ts';
import { lease as leaseOf } from '../../support/federation.ts';

const { lease, request, name, index, term, tenant, board, guardian, currency } = leaseOf({ on: 'board 1' });
const instance: Instance = { ...{ lease, request, name, index, term, tenant, board, guardian, currency }, opened: false, report: null };

test('says how an instance is and how it is reached', () => {
  const report = {
    ...{ board: instance.board, state: 'running', promise: 'held', address: 'fd00::1', restarts: 2, detail: '', instead: null, atMs: 0 },
    connection: '{"url":"a:b"}',
  };
  expect(
    instanceText({ ...instance, report })
      .split('\n')
      .slice(1),
  ).toEqual(['  address fd00::1', '  connection {"url":"a:b"}']);
  expect(instanceText({ ...instance, report })).toContain('running, promise held, 2 restarts');
  const back = 'ab'.repeat(32);
  expect(instanceText({ ...instance, report: { ...report, instead: back } })).toContain(`runs release ${back}, to which it fell back`);
  const bad = { ...report, state: 'refused', detail: 'bad-parameter: port', address: null, connection: null };
  expect(instanceText({ ...instance, report: bad })).toContain('refused (bad-parameter: port)');
});

test('says when nothing was heard', () => {
  expect(instanceText({ ...instance, report: null })).toContain('placed; only its home has heard more');
});

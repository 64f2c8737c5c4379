// The lake: what comes in, what is asked of it, what cannot be read, and its settings.

import {json, query} from './api.js';
import {bytes, fill, h, note, number, table} from './dom.js';
import {day, duration, nsOf} from './times.js';

const UNREAD = 'SELECT process_id, class, reason, since FROM block_errors ORDER BY since DESC LIMIT 50';
const USED = `SELECT class, CAST(sum(events) AS BIGINT) AS events, CAST(sum(bytes) AS BIGINT) AS bytes, CAST(sum(raw_bytes) AS BIGINT) AS raw, sum(objects) AS objects, sum(cost) AS cost
  FROM lake_usage GROUP BY class ORDER BY bytes DESC`;
const VIEWS = 'SHOW MATERIALIZED VIEWS';
const RAN = 'SELECT begin, "end", who, outcome, error, sql, rows, blocks, memory FROM query_log ORDER BY begin DESC LIMIT 50';

export async function show(main, place) {
  const rates = h('div', {class: 'chips'}), counters = h('div'), errors = h('div'), used = h('div'), covered = h('div'), settings = h('div'), queries = h('div'), ran = h('div');
  fill(main, h('div', {class: 'bar'}, h('h1', {}, 'Lake')), rates, h('h2', {}, 'What it holds'), used, h('h2', {}, 'Materialized views'), covered, h('h2', {}, 'Queries that run'), queries, h('details', {}, h('summary', {}, 'The last queries of the last hour'), ran), h('h2', {}, 'Blocks that cannot be read'), errors,
    h('h2', {}, 'Since the start'), counters, h('details', {}, h('summary', {}, 'Settings'), settings));
  place.guard(async () => {
    const {settings: rows} = await json('api/settings', {signal: place.signal});
    fill(settings, table([['setting'], ['value'], ['default'], ['what it is']], rows.map((row) => [row.name, row.value, row.default, row.help])));
  }, settings);
  place.every(10000, async () => {
    const hour = BigInt(Date.now() - 3600000) * 1000000n;
    const rows = await query(RAN, {begin: hour, signal: place.signal});
    fill(ran, table([['asked'], ['who'], ['took', 'right'], ['outcome'], ['query'], ['rows', 'right'], ['blocks', 'right'], ['memory', 'right']],
      rows.map((row) => [day(row.begin), row.who, duration(nsOf(row.end) - nsOf(row.begin)), row.error ? `${row.outcome}: ${row.error}` : row.outcome,
        h('code', {}, row.sql.slice(0, 400)), number(row.rows), number(row.blocks), bytes(row.memory ?? 0)])));
  });
  place.every(10000, async () => {
    const rows = await query(UNREAD, {signal: place.signal});
    fill(errors, rows.length ? table([['process'], ['class'], ['reason'], ['since']],
      rows.map((row) => [h('a', {href: `#/process/${row.process_id}`}, row.process_id.slice(0, 8)), row.class, row.reason, day(row.since)])) : note('None.'));
  });
  place.every(30000, async () => {
    const rows = await query(VIEWS, {signal: place.signal});
    fill(covered, table([['view'], ['files', 'right'], ['rows', 'right'], ['bytes', 'right'], ['covered', 'right'], ['uncovered since']],
      rows.map((row) => [row.name, number(row.files), number(row.rows), bytes(row.bytes), `${(100 * row.covered).toFixed(1)} %`, row.uncovered_since && day(row.uncovered_since)])));
  });
  place.every(30000, async () => {
    const rows = await query(USED, {signal: place.signal});
    const bill = rows.reduce((sum, row) => sum + row.events, 0) >= 100000 ? await json('api/cost', {signal: place.signal}) : null;
    fill(used, table([['class'], ['events', 'right'], ['bytes', 'right'], ['uncompressed', 'right'], ['objects', 'right'], ['$ a month', 'right']],
      rows.map((row) => [row.class, number(row.events), bytes(row.bytes), bytes(row.raw), number(row.objects), dollars(row.cost)])),
      bill && note(`At ${number(bill.events_per_second)} events a second, kept for ${bill.days} days, a month costs $${number(bill.dollars)} with its machines (prices of ${bill.prices.date}).`));
  });
  let before = null, at = 0;
  const cancel = (id) => place.guard(async () => { await json(`api/queries/${id}`, {method: 'DELETE'}); await running(); });
  const running = async () => {
    const {queries: rows} = await json('api/queries', {signal: place.signal});
    const others = rows.filter((row) => ![UNREAD, USED, VIEWS].some((own) => row.sql.startsWith(own))); // this page's own questions are no news
    fill(queries, others.length ? table([['since'], ['who'], ['query'], ['rows', 'right'], ['sent', 'right'], ['memory', 'right'], ['']],
      others.map((row) => [day(row.since), row.who, h('code', {}, row.sql.slice(0, 400)), number(row.rows), bytes(row.bytes), bytes(row.memory),
        h('button', {type: 'button', on: {click: () => cancel(row.id)}}, 'Cancel')])) : note('None.'));
  };
  place.every(2000, async () => {
    const [stats] = await Promise.all([json('api/stats', {signal: place.signal}), running()]);
    const flat = flatten(stats), now = performance.now();
    const rate = (name) => (before && now > at ? Math.max(0, (flat[name] - before[name]) / ((now - at) / 1000)) : null);
    fill(rates, [['ingest.stored', 'batches'], ['ingest.blocks', 'blocks'], ['ingest.bytes', 'bytes']].filter(([name]) => name in flat).map(([name, title]) =>
      h('span', {class: 'chip'}, rate(name) === null ? '…' : title === 'bytes' ? `${bytes(rate(name))}/s` : `${number(rate(name))}/s`, h('small', {}, title))));
    [before, at] = [flat, now];
    fill(counters, table([['what'], ['count', 'right']], Object.entries(flat).map(([name, value]) => [name, number(value)])));
  });
}

const dollars = (value) => (value < 0.01 ? '< 0.01' : value.toFixed(2));

function flatten(object, before = '') {
  return Object.fromEntries(Object.entries(object).flatMap(([name, value]) =>
    (value !== null && typeof value === 'object' ? Object.entries(flatten(value, `${before}${name}.`)) : [[before + name, value]])));
}

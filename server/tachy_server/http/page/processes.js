// All processes, newest first; those that run are looked at again while the page is open.

import {query, quoted} from './api.js';
import {baseName, fill, h, ms, note, number, table} from './dom.js';
import {day, duration, nsOf} from './times.js';

const MOST = 100, TOGETHER = 10;
const HEADS = [['process'], ['state'], ['started'], ['length', 'right'], ['p50 ms', 'right'], ['p99 ms', 'right'],
  ['worst ms', 'right'], ['errors', 'right'], ['dropped', 'right'], ['build'], ['user'], ['computer']];
const figures = new Map(); // of processes that have ended, and of others for a moment

export function where(words) {
  const text = "lower(concat_ws(' ', process_id, exe, username, computer, end_state, properties))";
  return words.split(/\s+/).filter(Boolean).map((word) => `strpos(${text}, ${quoted(word.toLowerCase())}) > 0`);
}

export async function show(main, place) {
  const search = h('input', {type: 'search', placeholder: 'name, user, build, any property', value: place.get('q') ?? '',
    'aria-label': 'Search processes', on: {input: () => { place.note({q: search.value}); soon(); }}});
  const list = h('div', {class: 'processes'});
  fill(main, h('div', {class: 'bar'}, h('h1', {}, 'Processes'), search, h('kbd', {}, '/')), list);
  let timer, asked = 0, last = '';
  const soon = () => { clearTimeout(timer); timer = setTimeout(() => place.guard(load, list), 200); };
  const load = async () => {
    const turn = ++asked;
    const conditions = where(search.value);
    const found = await query(`SELECT process_id, exe, username, computer, end_state, start_time, last_block_end_time,
      last_update_time, properties FROM processes ${conditions.length ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY start_time DESC LIMIT ${MOST}`, {signal: place.signal});
    if (turn !== asked) return;
    const render = () => {
      const text = JSON.stringify([found, found.map((row) => figures.get(row.process_id)?.values)]);
      if (turn !== asked || text === last) return; // what is looked at does not flicker
      last = text;
      if (!found.length) fill(list, note(search.value ? 'No process has all of these words.' : 'No process has sent anything yet: start one with TACHY_URL set to this server.'));
      else fill(list, table(HEADS, found.map(cells), {class: 'cards'}), found.length === MOST && note(`The newest ${MOST}.`));
    };
    render();
    for (let at = 0; at < found.length && turn === asked; at += TOGETHER) { // the newest first
      if (await measure(found.slice(at, at + TOGETHER), place.signal)) render();
    }
  };
  place.every(3000, load);
}

function cells(row) {
  const values = figures.get(row.process_id)?.values ?? {};
  const properties = row.properties ? JSON.parse(row.properties) : {};
  const end = nsOf(row.last_block_end_time) ?? nsOf(row.start_time);
  return [h('a', {href: `#/process/${row.process_id}`, title: row.exe}, baseName(row.exe)), state(row.end_state), day(row.start_time),
    duration(end - nsOf(row.start_time)), ms(values.p50), ms(values.p99), ms(values.worst),
    values.errors ? h('strong', {class: 'bad'}, number(values.errors)) : values.errors === 0 ? '0' : '',
    values.dropped ? h('strong', {class: 'bad'}, number(values.dropped)) : values.dropped === 0 ? '0' : '',
    properties.build ?? '', row.username, row.computer];
}

export const state = (name) => h('span', {class: `state ${/^[a-z]+$/.test(name) ? name : ''}`}, name);

// Frames, errors and drops; of a process that has ended rarely again, of others every ten seconds. Whether anything was
// asked. What cannot be answered is not asked again for a minute.
async function measure(found, signal) {
  const now = Date.now();
  const due = found.filter((row) => !(figures.get(row.process_id)?.until > now));
  if (!due.length) return false;
  const known = (row, seconds, values) => figures.set(row.process_id, {until: now + seconds * 1000, values});
  const ids = due.map((row) => quoted(row.process_id)).join(', ');
  const begin = due.map((row) => nsOf(row.start_time)).reduce((a, b) => (a < b ? a : b));
  const frame = "unit = 'seconds' AND lower(name) = 'frame'";
  try {
    const [measured, logged] = await Promise.all([
      query(`SELECT process_id, approx_percentile_cont(value, 0.5) FILTER (WHERE ${frame}) * 1e3 AS p50,
        approx_percentile_cont(value, 0.99) FILTER (WHERE ${frame}) * 1e3 AS p99, max(value) FILTER (WHERE ${frame}) * 1e3 AS worst,
        coalesce(sum(value) FILTER (WHERE name = 'tachy.dropped_events'), 0) AS dropped
        FROM measures WHERE process_id IN (${ids}) GROUP BY process_id`, {signal, begin}),
      query(`SELECT process_id, count(*) AS errors FROM log_entries WHERE process_id IN (${ids}) AND level <= 2 GROUP BY process_id`, {signal, begin}),
    ]);
    for (const row of due) {
      const of = (rows) => rows.find((one) => one.process_id === row.process_id);
      const ended = row.end_state === 'exited' || row.end_state === 'crashed';
      known(row, ended ? 600 : 10, {dropped: 0, ...of(measured), errors: of(logged)?.errors ?? 0});
    }
  } catch (error) {
    for (const row of due) known(row, 60, figures.get(row.process_id)?.values);
    throw error;
  }
  return true;
}

// Logs of a process: by level, target and text; followed while it runs.

import {query, quoted} from './api.js';
import {fill, h, levelName, levelNames, note} from './dom.js';
import {clock, nsOf} from './times.js';

const MOST = 500;

function conditions(process, {level, target, text}) {
  const found = [`process_id = ${quoted(process)}`];
  if (level) found.push(`level <= ${levelNames.indexOf(level) + 1}`);
  if (target) found.push(`starts_with(target, ${quoted(target)})`);
  if (text) found.push(`strpos(lower(msg), ${quoted(text.toLowerCase())}) > 0`);
  return found.join(' AND ');
}

const rowOf = (row) => h('li', {class: `level-${levelName(row.level)}`}, h('time', {title: row.time}, clock(row.time)),
  h('b', {}, levelName(row.level)), h('i', {}, row.target), h('span', {class: 'text'}, row.msg,
    row.properties && row.properties !== '{}' && h('small', {}, ` ${row.properties}`)));

const ask = async (process, options) => (await query(`SELECT time, level, target, msg, properties FROM log_entries
  WHERE ${conditions(process, options)} ORDER BY time DESC LIMIT ${options.limit}`, options)).reverse();

export async function logRows(process, options) {
  const rows = await ask(process, options);
  return rows.length ? h('ol', {class: 'logs'}, rows.map(rowOf)) : note('None.');
}

export async function logs(body, process, place) {
  const level = h('select', {'aria-label': 'Least important level'}, ['', ...levelNames].map((name) => h('option', {value: name}, name || 'all levels')));
  level.value = place.get('level') ?? '';
  const target = h('input', {placeholder: 'target', 'aria-label': 'Target', value: place.get('target') ?? ''});
  const text = h('input', {type: 'search', placeholder: 'text', 'aria-label': 'Text', value: place.get('q') ?? ''});
  const follow = h('input', {type: 'checkbox', checked: place.get('follow') === '1'});
  const list = h('ol', {class: 'logs tall', tabindex: 0}), said = h('div');
  fill(body, h('div', {class: 'bar'}, level, target, text, h('label', {}, follow, ' follow')), list, said);
  let newest = null, timer, turn = 0;
  const options = () => ({level: level.value, target: target.value, text: text.value, signal: place.signal, limit: MOST,
    begin: process.begin, end: process.end});
  const load = async () => {
    const mine = ++turn;
    const rows = await ask(process.id, options());
    if (mine !== turn) return;
    fill(list, rows.map(rowOf));
    fill(said, rows.length ? rows.length === MOST && note(`The latest ${MOST}.`) : note('No logs here.'));
    newest = rows.length ? nsOf(rows.at(-1).time) : null;
    list.scrollTop = list.scrollHeight;
  };
  const more = async () => {
    if (!follow.checked || process.end !== null) return;
    if (newest === null) { await load(); return; }
    const mine = turn;
    const rows = await ask(process.id, {...options(), begin: newest + 1n});
    if (mine !== turn || !rows.length) return;
    list.append(...rows.map(rowOf));
    while (list.children.length > 4 * MOST) list.firstChild.remove();
    newest = nsOf(rows.at(-1).time);
    list.scrollTop = list.scrollHeight;
  };
  const changed = () => {
    place.note({level: level.value, target: target.value, q: text.value, follow: follow.checked ? '1' : null});
    clearTimeout(timer);
    timer = setTimeout(() => place.guard(load, said), 200);
  };
  for (const field of [level, target, text, follow]) field.addEventListener('input', changed);
  await place.guard(load, said);
  place.every(1000, more);
}

// SQL: an editor with the tables beside it, the result as table, chart and files. The URL has the question.

import {blob, chart, query, save} from './api.js';
import {draw} from './charts.js';
import {fill, h, note, number, table} from './dom.js';
import {parse} from './times.js';

const MOST = 1000, PAGE = 100;
const FIRST = 'SELECT name, count(*) AS calls, sum(duration) / 1e6 AS ms\nFROM thread_spans\nGROUP BY name ORDER BY ms DESC LIMIT 20';
const FILES = {csv: 'csv', arrow: 'arrows', parquet: 'parquet'};
const TITLES = {csv: 'CSV', arrow: 'Arrow', parquet: 'Parquet'};

export async function show(main, place) {
  const text = h('textarea', {spellcheck: 'false', 'aria-label': 'SQL', rows: 8, value: place.get('q') ?? FIRST});
  const begin = h('input', {placeholder: 'begin: -10m', 'aria-label': 'Begin', value: place.get('begin') ?? ''});
  const end = h('input', {placeholder: 'end: now', 'aria-label': 'End', value: place.get('end') ?? ''});
  const view = h('select', {'aria-label': 'Show as'}, h('option', {value: 'table'}, 'table'), h('option', {value: 'chart'}, 'chart'));
  view.value = place.get('view') ?? 'table';
  const out = h('div', {class: 'result'}), schema = h('aside', {class: 'schema', 'aria-label': 'Tables'});
  let stop = new AbortController();
  const asked = () => ({sql: text.value, from: parse(begin.value), to: parse(end.value)});
  const work = (what) => {
    stop.abort();
    stop = new AbortController();
    const mine = stop;
    place.signal.addEventListener('abort', () => mine.abort());
    place.note({q: text.value, begin: begin.value, end: end.value, view: view.value});
    fill(out, h('p', {class: 'note', role: 'status'}, 'Asking … ', h('button', {type: 'button', on: {click: () => { mine.abort(); fill(out, note('Cancelled.')); }}}, 'Cancel')));
    const began = performance.now();
    return place.guard(async () => { await what(mine.signal); if (!mine.signal.aborted) out.prepend(note(`${((performance.now() - began) / 1000).toFixed(2)} s`)); }, out)
      .then(() => mark(text, out));
  };
  const run = () => work(async (signal) => {
    const {sql, from, to} = asked();
    if (view.value === 'chart') {
      const picture = h('div', {class: 'chart', 'data-chart': 'result'});
      const figure = await chart({chart: 'result', sql}, {begin: from, end: to, signal});
      fill(out, picture);
      await draw(picture, figure, {label: 'The result'});
    } else {
      const rows = await query(sql, {begin: from, end: to, limit: MOST + 1, signal});
      fill(out, pages(rows));
    }
  });
  const file = (format) => work(async (signal) => {
    const {sql, from, to} = asked();
    const body = {sql, format, ...(from !== null && {begin: String(from)}), ...(to !== null && {end: String(to)})};
    save(await blob('api/query', {method: 'POST', body, signal}), `result.${FILES[format]}`);
    fill(out, note('Saved.'));
  });
  text.addEventListener('keydown', (event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); } });
  view.addEventListener('change', run);
  fill(main, h('div', {class: 'bar'}, h('h1', {}, 'SQL')), h('div', {class: 'sql'}, h('div', {}, text, h('div', {class: 'bar'},
    h('button', {type: 'button', class: 'main', on: {click: run}}, 'Run'), h('kbd', {}, 'Ctrl Enter'), begin, end, view,
    Object.keys(FILES).map((format) => h('button', {type: 'button', on: {click: () => file(format)}}, TITLES[format]))), out), schema));
  place.guard(() => tables(schema, text, place.signal), schema);
  if (place.get('q')) await run();
}

// Where the server says which line and column it means, the cursor goes there.
function mark(text, out) {
  const found = /[Ll]ine:? (\d+),? [Cc]olumn:? (\d+)/.exec(out.querySelector('.error')?.textContent ?? '');
  if (!found) return;
  const before = text.value.split('\n').slice(0, Number(found[1]) - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const at = Math.min(before + Number(found[2]) - 1, text.value.length);
  text.focus();
  text.setSelectionRange(at, Math.max(at, at + (/^[\w"]+/.exec(text.value.slice(at))?.[0].length ?? 1)));
}

function pages(rows) {
  const all = rows.arrays.slice(0, MOST), heads = rows.columns.map(({name, type}) => [name, /^(u?int|float|double|decimal|duration)/.test(type) ? 'right' : '']);
  const shown = h('div');
  const turn = (page) => {
    const last = Math.ceil(all.length / PAGE) - 1;
    const cells = all.slice(page * PAGE, (page + 1) * PAGE).map((row) => row.map((value) => (value === null ? h('i', {class: 'quiet'}, 'NULL')
      : typeof value === 'number' ? number(value, 7) : typeof value === 'object' ? JSON.stringify(value) : String(value))));
    fill(shown, table(heads, cells), h('div', {class: 'bar'}, h('span', {class: 'quiet'}, rows.length > MOST ? `the first ${MOST} rows` : `${all.length} rows`),
      last > 0 && [h('button', {type: 'button', disabled: page === 0, on: {click: () => turn(page - 1)}}, 'Back'), h('span', {}, `${page + 1} of ${last + 1}`),
        h('button', {type: 'button', disabled: page === last, on: {click: () => turn(page + 1)}}, 'On')]));
  };
  turn(0);
  return shown;
}

async function tables(where, text, signal) {
  const rows = await query("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position", {signal});
  const names = [...new Set(rows.map((row) => row.table_name))];
  const insert = (name) => { text.setRangeText(/^[a-z_]+$/.test(name) && name !== 'end' ? name : `"${name}"`, text.selectionStart, text.selectionEnd, 'end'); text.focus(); };
  const button = (name, title) => h('button', {type: 'button', class: 'name', title, on: {click: () => insert(name)}}, name);
  fill(where, h('h2', {}, 'Tables'), names.map((name) => h('details', {}, h('summary', {}, name), button(name, 'insert the table'),
    rows.filter((row) => row.table_name === name).map((row) => button(row.column_name, row.data_type)))));
}

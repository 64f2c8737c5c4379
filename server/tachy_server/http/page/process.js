// One process: its frames and what ran in them, logs, metrics, properties, control.

import {chart, hasPerfetto, json, key, query, quoted} from './api.js';
import {control} from './control.js';
import {baseName, fill, h, ms, note, number, table} from './dom.js';
import {draw} from './charts.js';
import {flame} from './flame.js';
import {logs, logRows} from './logs.js';
import {state} from './processes.js';
import {clock, day, duration, nsOf, parse, textOf} from './times.js';
import {openTrace} from './trace.js';

const TABS = {frames, spans, logs, metrics, properties, control};
const SECOND = 1000000000n;

export async function show(main, place) {
  const [, id, tab = 'frames'] = place.names;
  const row = await json(`api/processes/${encodeURIComponent(id)}`, {signal: place.signal});
  const first = nsOf(row.start_time);
  const process = {id, row, first, last: nsOf(row.last_block_end_time) ?? first + SECOND,
    runs: row.end_state === 'running', begin: parse(place.get('begin')), end: parse(place.get('end'))};
  document.title = `${baseName(row.exe)} · tachy`;
  const body = h('section', {'aria-label': tab});
  const tabs = Object.keys(TABS).map((name) => h('a', {href: place.with({frame: null, ms: null}, ['process', id, name]),
    'aria-current': name === tab && 'page'}, name));
  fill(main, h('div', {class: 'bar'}, h('h1', {title: row.exe}, baseName(row.exe)), state(row.end_state),
    h('span', {class: 'quiet'}, `${day(row.start_time)} UTC · ${duration(process.last - first)} · ${row.username}@${row.computer}`),
    traceLink('Open in Perfetto', process, process.begin, process.end)),
  h('nav', {class: 'tabs', 'aria-label': 'Of this process'}, tabs), rangeBar(process, place), body);
  main.addEventListener('tachy-close', () => {
    if (place.signal.aborted) return;
    if (place.get('frame')) place.go({frame: null, ms: null});
    else if (place.get('begin') || place.get('end')) place.go({begin: null, end: null});
    else location.hash = '#/';
  }, {once: true, signal: place.signal});
  if (!TABS[tab]) { fill(body, note('There is no such view of a process.', 'error')); return; }
  await place.guard(() => TABS[tab](body, process, place), body);
}

function rangeBar(process, place) {
  if (process.begin === null && process.end === null) return null;
  const [begin, end] = [process.begin ?? process.first, process.end ?? process.last];
  return h('p', {class: 'range'}, `${clock(textOf(begin))} – ${clock(textOf(end))} UTC, ${duration(end - begin)} `,
    h('a', {href: place.with({begin: null, end: null})}, 'all of it'), ' ', h('kbd', {}, 'Esc'));
}

// A link to these times in Perfetto; a download where the server has no Perfetto.
export function traceLink(title, process, begin, end) {
  const link = h('button', {type: 'button', class: 'trace', on: {click: () => openTrace(process.id, begin, end, key()).catch((error) => {
    document.getElementById('live').textContent = error.message;
  })}}, title);
  hasPerfetto().then((there) => { if (!there) link.textContent = 'Download trace'; }, () => {});
  return link;
}

const zoomer = (place) => (range) => place.go(range
  ? {begin: textOf(nsOf(range[0])), end: textOf(nsOf(range[1]))} : {begin: null, end: null});

async function frames(body, process, place) {
  const picture = h('div', {class: 'chart', 'data-chart': 'frames'}), heat = h('div', {class: 'chart', 'data-chart': 'heatmap'});
  const worst = h('div'), detail = h('div', {class: 'detail'});
  fill(body, picture, detail, worst, heat);
  const [begin, end] = [process.begin ?? process.first, process.end ?? process.last];
  const options = {begin, end, signal: place.signal};
  const load = async () => {
    const figure = await chart({chart: 'frames', process_id: process.id, points: Math.max(100, body.clientWidth)}, options);
    await draw(picture, figure, {label: 'Frame times; hitches are marked', zoomed: zoomer(place), clicked: (time, length) => {
      place.go({frame: time.replace(' ', 'T').replace(/Z?$/, 'Z'), ms: length});
    }});
  };
  await place.guard(load, picture);
  if (place.get('frame')) place.guard(() => frame(detail, process, place), detail);
  place.guard(() => worstFrames(worst, process, place, options), worst);
  place.guard(async () => draw(heat, await chart({chart: 'heatmap', process_id: process.id}, options), {label: 'How many frames took how long', zoomed: zoomer(place)}), heat);
  if (process.runs && process.end === null) {
    place.every(5000, async () => {
      const now = await json(`api/processes/${process.id}`, {signal: place.signal});
      options.end = nsOf(now.last_block_end_time) ?? options.end;
      await load();
    });
  }
}

async function worstFrames(where, process, place, {begin, end, signal}) {
  const rows = await query(`SELECT time, value * 1e3 AS ms FROM measures WHERE process_id = ${quoted(process.id)}
    AND unit = 'seconds' AND lower(name) = 'frame' ORDER BY value DESC LIMIT 10`, {begin, end, signal});
  if (!rows.length) { fill(where, note('This process marks no frames; what ran is under spans.')); return; }
  fill(where, h('h2', {}, 'Longest frames'), h('div', {class: 'chips'}, rows.map((row) =>
    h('a', {href: place.with({frame: row.time, ms: row.ms}), 'aria-current': place.get('frame') === row.time && 'true'},
      `${ms(row.ms)} ms`, h('small', {}, clock(row.time))))));
}

// What ran in one frame, what was logged and measured meanwhile.
async function frame(where, process, place) {
  const end = parse(place.get('frame')), length = BigInt(Math.round(Number(place.get('ms') || 20) * 1e6));
  const begin = end - length;
  const picture = h('div', {class: 'flame'}), said = h('div'), measured = h('div');
  const whole = h('button', {type: 'button', on: {click: () => draw(begin, end)}}, 'The whole frame');
  fill(where, h('div', {class: 'bar'}, h('h2', {}, `Frame of ${duration(length)} at ${clock(textOf(end))}`),
    traceLink('Open these seconds in Perfetto', process, begin - SECOND, end + SECOND),
    h('a', {href: place.with({frame: null, ms: null})}, 'close'), h('kbd', {}, 'Esc')), picture, whole, measured, said);
  const latest = place.latest();
  const draw = (from, to) => place.guard(() => flame(picture, {process: process.id, begin: from, end: to, signal: latest(),
    zoomed: (a, b) => draw(a, b)}), picture);
  await draw(begin, end);
  const around = {begin: begin + 1000n, end: end + 1000000n, signal: place.signal};
  place.guard(async () => fill(said, h('h3', {}, 'Logs of this frame'), await logRows(process.id, {...around, limit: 100})), said);
  place.guard(async () => {
    const rows = await query(`SELECT name, unit, value, properties FROM measures WHERE process_id = ${quoted(process.id)} ORDER BY name, time LIMIT 200`, around);
    fill(measured, h('h3', {}, 'Metrics of this frame'), rows.length ? table([['metric'], ['value', 'right'], ['unit'], ['properties']],
      rows.map((row) => [row.name, number(row.value, 5), row.unit, row.properties === '{}' ? '' : row.properties])) : note('None.'));
  }, measured);
}

async function spans(body, process, place) {
  const picture = h('div', {class: 'flame'}), top = h('div', {class: 'chart', 'data-chart': 'top'});
  const end = process.end ?? process.last;
  const whole = end - process.first;
  const begin = process.begin ?? (whole > 10n * SECOND ? end - 10n * SECOND : process.first);
  fill(body, process.begin === null && whole > 10n * SECOND && note('The last ten seconds.'), picture, h('h2', {}, 'Where the time goes'), top);
  await place.guard(() => flame(picture, {process: process.id, begin, end, signal: place.signal,
    zoomed: (a, b) => place.go({begin: textOf(a), end: textOf(b)})}), picture);
  await place.guard(async () => draw(top, await chart({chart: 'top', process_id: process.id}, {begin, end, signal: place.signal}),
    {label: 'Names that take most time by themselves'}), top);
}

async function metrics(body, process, place) {
  const options = {begin: process.begin ?? process.first, end: process.end ?? process.last, signal: place.signal};
  const known = await query(`SELECT name, unit, target, count(*) AS n, avg(value) AS mean, min(value) AS low, max(value) AS high
    FROM measures WHERE process_id = ${quoted(process.id)} GROUP BY name, unit, target ORDER BY name`, options);
  if (!known.length) { fill(body, note('No metrics in this range.')); return; }
  const chosen = new Set(place.parameters.has('m') ? place.parameters.getAll('m') : [known[0].name]);
  const picture = h('div', {class: 'chart', 'data-chart': 'metrics'});
  const latest = place.latest();
  const load = async () => {
    const signal = latest();
    if (!chosen.size) { fill(picture, note('Choose a metric.')); return; }
    await draw(picture, await chart({chart: 'metrics', process_id: process.id, names: [...chosen], points: Math.max(100, body.clientWidth)}, {...options, signal}),
      {label: [...chosen].join(', '), signal, zoomed: zoomer(place)});
  };
  const pick = (name) => h('input', {type: 'checkbox', 'aria-label': name, checked: chosen.has(name), on: {change: (event) => {
    if (event.target.checked) chosen.add(name); else chosen.delete(name);
    place.note({m: [...chosen]});
    place.guard(load, picture);
  }}});
  fill(body, picture, table([['', 'tick'], ['metric'], ['target'], ['unit'], ['values', 'right'], ['least', 'right'], ['mean', 'right'], ['greatest', 'right']],
    known.map((row) => [pick(row.name), row.name, row.target, row.unit, number(row.n), number(row.low, 4), number(row.mean, 4), number(row.high, 4)])));
  await place.guard(load, picture);
}

async function properties(body, process) {
  const {streams, properties: own, ...row} = process.row;
  const pairs = (object) => h('dl', {}, Object.entries(object).map(([name, value]) => [h('dt', {}, name), h('dd', {}, value === null ? '' : String(value))]));
  const threads = streams.map((stream) => [stream.properties?.['thread-name'] ?? '', stream.properties?.['thread-id'] ?? '', (stream.tags ?? []).join(', ')]);
  fill(body, h('h2', {}, 'Properties'), Object.keys(own ?? {}).length ? pairs(own) : note('None.'), h('h2', {}, 'Process'), pairs(row),
    h('h2', {}, 'Threads'), table([['name'], ['id', 'right'], ['what']], threads));
}

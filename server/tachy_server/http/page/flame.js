// What ran when: a canvas with a lane for each thread and depth. 20,000 nodes are drawn in one go.

import {query, quoted} from './api.js';
import {colour, fill, h, note} from './dom.js';
import {duration} from './times.js';

const LANE = 18, HEAD = 20, MOST = 60000;

// Spans that are wider than a pixel one by one; the others of a pixel, depth and thread are one row with their number.
// Times are nanoseconds since the range's begin, which a number holds.
const folded = (process, begin, pixel) => `SELECT stream_id, thread_name, depth,
  CAST(min(begin) AS BIGINT) - ${begin} AS "from", CAST(max("end") AS BIGINT) - ${begin} AS "to", count(*) AS spans, min(name) AS name, min(target) AS target, min(properties) AS properties, sum(duration) AS busy
  FROM thread_spans WHERE process_id = ${quoted(process)} GROUP BY stream_id, thread_name, depth,
  CASE WHEN duration >= ${pixel} THEN id ELSE -1 - (CAST(begin AS BIGINT) - ${begin}) / ${pixel} END
  ORDER BY stream_id, depth, "from" LIMIT ${MOST}`;

// Draws [begin, end] (BigInt ns) of a process. `zoomed(begin, end)` is told what somebody wants to see closer.
export async function flame(where, {process, begin, end, signal, zoomed}) {
  const width = Math.max(280, where.clientWidth), length = end - begin;
  const pixel = length / BigInt(width) || 1n;
  const rows = await query(folded(process, begin, pixel), {begin, end, signal});
  if (!rows.length) { fill(where, note('No spans in this range.')); return; }
  const lanes = layout(rows, Number(length), width);
  const canvas = h('canvas', {tabindex: 0, role: 'img', 'aria-label': `Spans of ${lanes.threads} threads, ${duration(length)}`});
  const about = h('p', {class: 'about', role: 'status'}, `${duration(length)}: point at a span, click to see it closer, drag to see a part`);
  fill(where, about, canvas, rows.length === MOST && note('More than is drawn: look at a shorter range.'));
  paint(canvas, lanes, width);
  const at = (event) => {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    return {x, node: lanes.nodes.findLast((one) => y >= one.y && y < one.y + LANE && x >= one.x - 1 && x <= one.x + one.width + 1)};
  };
  const timeAt = (x) => begin + BigInt(Math.round((Math.max(0, Math.min(width, x)) / width) * Number(length)));
  let from = null;
  canvas.addEventListener('pointerdown', (event) => { from = at(event).x; });
  canvas.addEventListener('pointermove', (event) => {
    const {x, node} = at(event);
    if (from !== null && Math.abs(x - from) > 4) about.textContent = `${duration(timeAt(Math.max(x, from)) - timeAt(Math.min(x, from)))}`;
    else if (node) about.textContent = describe(node.row);
  });
  canvas.addEventListener('pointerup', (event) => {
    const {x, node} = at(event), start = from;
    from = null;
    if (start !== null && Math.abs(x - start) > 4) zoomed(timeAt(Math.min(x, start)), timeAt(Math.max(x, start)));
    else if (node) zoomed(begin + BigInt(node.row.from), begin + BigInt(node.row.to));
  });
}

export function layout(rows, length, width) {
  const nodes = [], heads = [], depths = new Map();
  for (const row of rows) depths.set(row.stream_id, Math.max(depths.get(row.stream_id) ?? 0, row.depth));
  const order = [...depths.keys()].map((stream) => ({stream, name: rows.find((row) => row.stream_id === stream).thread_name ?? ''}));
  order.sort((a, b) => (a.name === 'main' ? -1 : b.name === 'main' ? 1 : a.name.localeCompare(b.name)));
  const tops = new Map();
  let height = 0;
  for (const {stream, name} of order) {
    heads.push({y: height, name: name || stream});
    tops.set(stream, height + HEAD);
    height += HEAD + (depths.get(stream) + 1) * LANE + 6;
  }
  for (const row of rows) {
    const x = (Math.max(0, row.from) / length) * width, right = (Math.min(length, row.to) / length) * width;
    nodes.push({row, x, y: tops.get(row.stream_id) + row.depth * LANE, width: Math.max(1, right - x)});
  }
  return {nodes, heads, height, threads: order.length};
}

// Rectangles are written as pixels: 20,000 calls of the canvas's own take twice as long.
export function paint(canvas, {nodes, heads, height}, width) {
  const scale = Math.min(devicePixelRatio || 1, 16000 / Math.max(height, width));
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext('2d'), style = getComputedStyle(document.documentElement);
  const image = pen.createImageData(canvas.width, canvas.height), pixels = new Uint32Array(image.data.buffer);
  const across = canvas.width, down = Math.floor((LANE - 1) * scale), colours = new Map(), wide = [];
  for (const node of nodes) {
    const name = node.row.spans > 1 ? null : node.row.name ?? '';
    if (!colours.has(name)) colours.set(name, pixelOf(pen, name === null ? style.getPropertyValue('--folded') : colour(name)));
    const ink = colours.get(name), left = Math.min(across - 1, Math.round(node.x * scale));
    const right = Math.min(across, Math.max(left + 1, Math.round((node.x + node.width - 0.5) * scale)));
    for (let row = Math.round(node.y * scale), end = row + down; row < end; row++)
      for (let at = row * across + left, last = row * across + right; at < last; at++) pixels[at] = ink;
    if (node.width >= 26) wide.push(node);
  }
  pen.putImageData(image, 0, 0);
  pen.scale(scale, scale);
  pen.font = '12px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  pen.fillStyle = style.getPropertyValue('--text');
  for (const {y, name} of heads) pen.fillText(name, 4, y + HEAD / 2);
  pen.fillStyle = '#000';
  for (const {row, x, y, width} of wide) {
    let text = row.spans > 1 ? `${row.spans} spans` : row.name ?? '';
    const room = Math.floor((width - 6) / 6.2);
    if (text.length > room) text = room > 2 ? `${text.slice(0, room - 1)}…` : '';
    pen.fillText(text, x + 3, y + LANE / 2);
  }
}

// A colour of CSS as ImageData has it: red in the lowest byte.
function pixelOf(pen, css) {
  pen.fillStyle = css;
  const [, red, green, blue] = /^#(..)(..)(..)$/.exec(pen.fillStyle);
  return parseInt(`ff${blue}${green}${red}`, 16);
}

function describe(row) {
  const length = duration(row.to - row.from);
  if (row.spans > 1) return `${row.spans} spans, ${row.name} among them, busy for ${duration(row.busy)} of ${length}`;
  const values = row.properties && row.properties !== '{}' ? ` ${row.properties}` : '';
  return `${row.name} · ${length} · ${row.target ?? ''}${values}`;
}

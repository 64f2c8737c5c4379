// Elements out of texts. Nothing here or elsewhere on the page reads markup: what a program says stays text.

// h('a', {href, class, on: {click}}, 'text', element, …): an element. Children that are null or false are left out.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === 'value' || name === 'checked' || name === 'disabled') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(2).filter(Boolean));
  return element;
}

// A table: heads are [title, class?]; rows are arrays of cells, each a text or an element.
export function table(heads, rows, properties = {}) {
  const cell = (content, at) => h('td', {class: heads[at][1], 'data-head': heads[at][0]}, content ?? '');
  return h('div', {class: 'scroll'}, h('table', properties,
    h('thead', {}, h('tr', {}, heads.map(([title, kind]) => h('th', {class: kind, scope: 'col'}, title)))),
    h('tbody', {}, rows.map((row) => h('tr', {}, row.map(cell))))));
}

export const note = (text, kind = 'note') => h('p', {class: kind, role: kind === 'error' ? 'alert' : 'status'}, text);

export function number(value, digits = 3) {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value.toLocaleString('en', {maximumSignificantDigits: Math.max(digits, 1)});
}

export const ms = (value) => (value === null || value === undefined ? '' : `${value.toFixed(value < 10 ? 2 : 1)}`);

export function bytes(size) {
  for (const unit of ['B', 'KB', 'MB', 'GB', 'TB']) {
    if (size < 1000 || unit === 'TB') return `${number(size)} ${unit}`;
    size /= 1000;
  }
}

const LEVELS = ['', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];
export const levelName = (level) => LEVELS[level] ?? String(level);
export const levelNames = LEVELS.slice(1);

export const baseName = (path) => (path ?? '').split(/[\\/]/).pop() || '(unnamed)';

// The same for a name wherever it is drawn.
export function colour(name) {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  return `hsl(${(hash >>> 0) % 360} 55% 62%)`;
}

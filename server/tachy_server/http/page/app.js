// The page's frame: which view a URL means, keys, and what runs on while a view is looked at.

import {Failure} from './api.js';
import {fill, note} from './dom.js';
import {show as lake} from './lake.js';
import {show as process} from './process.js';
import {show as processes} from './processes.js';
import {show as sql} from './sql.js';

const VIEWS = {'': processes, process, sql, lake};
const main = document.getElementById('main');
let leaving = new AbortController();
let shown = '';

// A view's state is the part of the URL behind #: its names, then parameters.
export class Place {
  constructor(hash, signal) {
    const [path, parameters] = hash.replace(/^#\/?/, '').split('?');
    this.names = path.split('/').map(decodeURIComponent);
    this.parameters = new URLSearchParams(parameters ?? '');
    this.signal = signal; // aborted when the view is left
  }

  get(name) { return this.parameters.get(name); }

  // The URL of this view with other parameters; null takes one away, an array gives one several times.
  with(changes, names = this.names) {
    const parameters = new URLSearchParams(this.parameters);
    for (const [name, value] of Object.entries(changes)) {
      parameters.delete(name);
      for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== '') parameters.append(name, one);
    }
    const text = parameters.toString();
    return `#/${names.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`;
  }

  go(changes) { location.hash = this.with(changes); }

  // Remembers without showing anew: while somebody types.
  note(changes) {
    const hash = this.with(changes);
    history.replaceState(null, '', hash);
    this.parameters = new URLSearchParams(hash.split('?')[1] ?? '');
    shown = location.hash;
  }

  // Makes signals for what replaces what was asked before: each is aborted by the next.
  latest() {
    let last = new AbortController();
    return () => {
      last.abort();
      last = new AbortController();
      return AbortSignal.any([last.signal, this.signal]);
    };
  }

  // Runs now and then again, as long as the view is there and somebody looks at it.
  async every(milliseconds, work) {
    while (!this.signal.aborted) {
      if (!document.hidden) await this.guard(work);
      await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
    }
  }

  // What fails is said on the page; what was given up is not.
  async guard(work, where = document.getElementById('live')) {
    try {
      await work();
      if (where.id === 'live') where.textContent = '';
    } catch (error) {
      if (error.name === 'AbortError' || this.signal.aborted) return;
      if (!(error instanceof Failure)) console.error(error);
      if (where.id === 'live') where.textContent = error.message;
      else fill(where, note(error.message, 'error'));
    }
  }
}

async function route() {
  if (location.hash === shown && shown) return;
  const before = shown.split('?')[0];
  shown = location.hash;
  leaving.abort();
  leaving = new AbortController();
  const place = new Place(location.hash, leaving.signal);
  const name = place.names[0];
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.page === (name === 'process' ? '' : name)) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const view = VIEWS[name];
  document.title = `${name || 'processes'} · tachy`;
  if (!view) { fill(main, note('There is no such page.', 'error')); return; }
  if (before !== shown.split('?')[0]) { main.replaceChildren(); scrollTo(0, 0); }
  await place.guard(() => view(main, place), main);
}

// Into the search of what is shown; whether it has one.
function search() {
  const field = document.querySelector('input[type=search]');
  field?.focus();
  field?.select();
  return field !== null;
}

addEventListener('hashchange', route);
addEventListener('keydown', (event) => {
  const field = event.target.closest?.('input, textarea, select');
  if (event.key === '/' && !field && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (search()) return;
    addEventListener('hashchange', search, {once: true}); // after route, which shows the processes
    location.hash = '#/';
  } else if (event.key === 'Escape') {
    if (document.querySelector('dialog[open]')) return;
    if (field) field.blur();
    else main.dispatchEvent(new CustomEvent('tachy-close'));
  }
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { shown = ''; route(); });
route();

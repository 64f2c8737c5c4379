// Every request of the page goes through here: with the key, where the server has keys. It is kept for this tab alone,
// and never stands in a URL.

import {fill, h, note} from './dom.js';

const KEY = 'tachy-key';
export class Failure extends Error {}

export const key = () => sessionStorage.getItem(KEY);

async function request(path, {method = 'GET', body, signal} = {}) {
  const headers = body === undefined ? {} : {'content-type': 'application/json'};
  if (key()) headers.authorization = `Bearer ${key()}`;
  let answer;
  try {
    answer = await fetch(path, {method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body)});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure('The server does not answer.');
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    await signIn(key() ? 'That key is not valid.' : '');
    return request(path, {method, body, signal});
  }
  const said = await answer.json().catch(() => ({}));
  signal?.throwIfAborted(); // else while it was read
  throw new Failure(said.error ?? `The server answered ${answer.status}.`);
}

export const json = async (path, options) => (await request(path, options)).json();
export const blob = async (path, options) => (await request(path, options)).blob();

// Rows of SQL as objects; `columns` stands beside them.
export async function query(sql, {begin, end, limit, signal} = {}) {
  const answer = await json('api/query', {method: 'POST', signal, body: range({sql, limit}, begin, end)});
  if (answer.error) throw new Failure(answer.error);
  const names = answer.schema.map((column) => column.name);
  const rows = answer.rows.map((row) => Object.fromEntries(row.map((value, at) => [names[at], value])));
  return Object.assign(rows, {columns: answer.schema, arrays: answer.rows});
}

export const chart = (what, {begin, end, signal} = {}) =>
  json('api/chart', {method: 'POST', signal, body: range(what, begin, end)});

function range(body, begin, end) {
  if (begin !== undefined && begin !== null) body.begin = String(begin);
  if (end !== undefined && end !== null) body.end = String(end);
  return body;
}

// A text as SQL writes it.
export const quoted = (text) => `'${String(text).replaceAll("'", "''")}'`;

export function save(content, name) {
  const url = URL.createObjectURL(content);
  h('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

let asking = null;
function signIn(said) {
  asking ??= new Promise((resolve) => {
    const field = h('input', {type: 'password', name: 'key', required: true, autocomplete: 'off', placeholder: 'tk_…'});
    const dialog = h('dialog', {class: 'sign-in', 'aria-label': 'Sign in'});
    const submit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, field.value.trim());
      dialog.remove();
      asking = null;
      resolve();
    };
    fill(dialog, h('form', {on: {submit}}, h('h2', {}, 'This server asks for a key'), said && note(said, 'error'), field,
      h('button', {}, 'Sign in'), note('It stays in this tab, and is made by: tachy keys create')));
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

let parts = null;
export async function hasPerfetto() {
  parts ??= json('page/parts.json');
  return (await parts).perfetto;
}

// Opens times of a process in the server's own Perfetto, or downloads their trace where it has none.

import {blob, hasPerfetto, save} from './api.js';
import {textOf} from './times.js';

const COMMANDS = JSON.stringify([{id: 'dev.perfetto.ExpandTracksByRegex', args: ['.*']}]);

export async function openTrace(id, begin, end, hasKey) {
  const range = new URLSearchParams();
  if (begin !== null) range.set('begin', textOf(begin));
  if (end !== null) range.set('end', textOf(end));
  const path = `api/processes/${id}/trace${range.size ? `?${range}` : ''}`;
  if (!(await hasPerfetto())) { save(await blob(path), `${id}.perfetto-trace`); return; }
  if (hasKey) { await send(path, id); return; }
  const viewer = new URLSearchParams({url: new URL(path, location.href).href.split('#')[0], startupCommands: COMMANDS});
  if (begin !== null && end !== null) { viewer.set('visStart', begin); viewer.set('visEnd', end); }
  window.open(`${new URL('perfetto/', location.href.split('#')[0])}#!/viewer?${viewer}`, '_blank');
}

// With a key the trace cannot come by its URL: the viewer says PONG when it is there, and is given the bytes.
async function send(path, title) {
  const viewer = window.open(`${new URL('perfetto/', location.href.split('#')[0])}#!/viewer`, '_blank');
  if (!viewer) throw new Error('The browser has not opened a window: allow this page to.');
  const buffer = await (await blob(path)).arrayBuffer();
  const ping = setInterval(() => { if (viewer.closed) clearInterval(ping); else viewer.postMessage('PING', location.origin); }, 100);
  addEventListener('message', function answered(event) {
    if (event.source !== viewer || event.data !== 'PONG') return;
    clearInterval(ping);
    removeEventListener('message', answered);
    viewer.postMessage({perfetto: {buffer, title, fileName: `${title}.perfetto-trace`}}, location.origin, [buffer]);
  });
}

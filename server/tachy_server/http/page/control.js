// What a process is told to record, what is in force, and marks.

import {json} from './api.js';
import {fill, h, levelNames, note} from './dom.js';

export async function control(body, process, place) {
  const path = `api/processes/${process.id}/control`;
  const force = h('div', {class: 'force'}), said = h('div');
  const level = h('select', {name: 'level'}, ['', ...levelNames].map((name) => h('option', {value: name}, name || "the program's own")));
  const mode = h('select', {name: 'mode'}, [['', "the program's own"], ['all', 'all'], ['flight', 'flight recorder']].map(([value, title]) => h('option', {value}, title)));
  const categories = h('input', {name: 'categories', placeholder: 'net=debug game.ai=none'});
  const seconds = h('input', {name: 'seconds', type: 'number', min: 1, placeholder: 'until it ends'});
  const reason = h('input', {name: 'reason', required: true, placeholder: 'why, in a few words'});
  const show = (now) => {
    const pairs = [['level', now.level], ['mode', now.mode], ...Object.entries(now.categories ?? {}),
      ['for', now.seconds === null ? null : `${now.seconds} s more`]].filter(([, value]) => value !== null && value !== undefined);
    fill(force, h('h2', {}, 'In force'), pairs.length ? h('dl', {}, pairs.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))
      : note("The program's own configuration."));
  };
  const tell = (method, content, where = path) => place.guard(async () => {
    const now = await json(where, {method, body: content});
    show(now);
    fill(said, note('Told: it holds from the next batch on.'));
  }, said);
  const put = (event) => {
    event.preventDefault();
    const wanted = {};
    if (level.value) wanted.level = level.value;
    if (mode.value) wanted.mode = mode.value;
    const pairs = categories.value.split(/[\s,]+/).filter(Boolean).map((pair) => pair.split('='));
    if (pairs.length) wanted.categories = Object.fromEntries(pairs.map(([name, value]) => [name, value ?? '']));
    if (seconds.value) wanted.seconds = Number(seconds.value);
    tell('PUT', wanted);
  };
  const mark = (event) => { event.preventDefault(); tell('POST', {reason: reason.value}, `api/processes/${process.id}/mark`); };
  fill(body, force, said, h('form', {class: 'fields', on: {submit: put}}, h('h2', {}, 'Tell it'), h('label', {}, 'level', level), h('label', {}, 'categories', categories),
    h('label', {}, 'mode', mode), h('label', {}, 'seconds', seconds),
    h('div', {class: 'bar'}, h('button', {}, 'Tell'), h('button', {type: 'button', on: {click: () => tell('DELETE')}}, 'Take everything back'))),
  h('form', {class: 'fields', on: {submit: mark}}, h('h2', {}, 'Mark'), h('label', {}, 'reason', reason),
    h('div', {class: 'bar'}, h('button', {}, 'Send the spans around now'))));
  if (!process.runs) fill(said, note('It does not run: nobody hears this.'));
  place.every(5000, async () => show(await json(path, {signal: place.signal})));
}

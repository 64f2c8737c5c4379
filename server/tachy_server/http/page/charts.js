// Figures of tachy.charts, drawn by the plotly.js of the server's wheel.

import {h} from './dom.js';

const PLOTLY = 'page/plotly-7.1.0.min.js'; // the pin of pyproject.toml; a test compares
let loading = null;

function load() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(h('script', {src: PLOTLY, on: {
      load: () => resolve(globalThis.Plotly),
      error: () => { loading = null; reject(new Error('plotly.js could not be loaded.')); },
    }}));
  });
  return loading;
}

// Draws into the element. `zoomed([begin, end] or null)` is told which times are looked at, `clicked(time, value)` which
// point was meant. Throws once `signal` is aborted.
export async function draw(element, figure, {zoomed, clicked, label, signal} = {}) {
  const plotly = await load();
  signal?.throwIfAborted();
  const style = getComputedStyle(document.documentElement);
  const layout = {...figure.layout, font: {...figure.layout.font, color: style.getPropertyValue('--text').trim()}};
  delete layout.width;
  if (element.clientWidth < 500) layout.margin = {...layout.margin, l: 36, r: 8};
  layout.xaxis = {...layout.xaxis, fixedrange: !zoomed};
  for (const name of Object.keys(layout)) if (/^yaxis/.test(name)) layout[name] = {...layout[name], fixedrange: true};
  await plotly.react(element, figure.data, layout, {responsive: true, displayModeBar: false, doubleClick: false});
  element.setAttribute('role', 'img');
  element.setAttribute('aria-label', label ?? 'chart');
  for (const event of ['relayout', 'click', 'doubleclick']) element.removeAllListeners?.(`plotly_${event}`);
  if (zoomed) {
    element.on('plotly_relayout', (change) => {
      const range = change['xaxis.range'] ?? [change['xaxis.range[0]'], change['xaxis.range[1]']];
      if (range[0] !== undefined) zoomed(range);
    });
    element.on('plotly_doubleclick', () => { zoomed(null); });
  }
  if (clicked) element.on('plotly_click', ({points: [point]}) => clicked(figure.data[point.curveNumber].x[point.pointIndex], point.y));
}

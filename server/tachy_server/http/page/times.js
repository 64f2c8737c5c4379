// Times are BigInt nanoseconds since 1970 in UTC, or the RFC 3339 text that the server writes.

import {Failure} from './api.js';

export function nsOf(text) {
  const found = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?Z?$/.exec(String(text).trim());
  if (!found) return null;
  const time = found[2].length === 5 ? `${found[2]}:00` : found[2];
  const milliseconds = Date.parse(`${found[1]}T${time}Z`);
  return Number.isNaN(milliseconds) ? null : BigInt(milliseconds) * 1000000n + BigInt((found[3] ?? '').padEnd(9, '0'));
}

export function textOf(ns) {
  const second = new Date(Number(ns / 1000000000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(ns % 1000000000n).padStart(9, '0').replace(/0+$/, '');
  return fraction ? `${second}.${fraction}Z` : `${second}Z`;
}

// What people type, and URLs say: RFC 3339, nothing, or a distance from now (-10m, -1h30m). Throws what to type instead.
export function parse(text) {
  const given = (text ?? '').trim();
  if (!given) return null;
  if (/^-(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(given)) {
    const units = {ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12, d: 8.64e13};
    let back = 0;
    for (const [, count, unit] of given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) back += Number(count) * units[unit];
    return BigInt(Date.now()) * 1000000n - BigInt(Math.round(back));
  }
  const ns = nsOf(given);
  if (ns === null) throw new Failure(`${given} is not a time: write 2026-11-23T19:05:00 or -10m`);
  return ns;
}

export const clock = (text) => String(text).slice(11, 23).replace('Z', '');
export const day = (text) => String(text).slice(0, 19).replace('T', ' ');

export function duration(ns) {
  const value = Number(ns);
  if (value < 1e3) return `${value} ns`;
  if (value < 1e6) return `${(value / 1e3).toPrecision(3)} µs`;
  if (value < 1e9) return `${(value / 1e6).toPrecision(3)} ms`;
  if (value < 6e10) return `${(value / 1e9).toPrecision(3)} s`;
  const minutes = Math.floor(value / 6e10), hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor((value % 6e10) / 1e9)} s`;
}

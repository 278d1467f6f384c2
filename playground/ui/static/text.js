// The catalog of what the page says, and numbers as people read them.

const catalog = await (await fetch(new URL('./strings.json', import.meta.url))).json();

/** The text for a key, `{name}` replaced. Where `values.n` is 1 and `KEY.one` exists, that one. */
export function t(key, values = {}) {
  const singular = `${key}.one`;
  const text = catalog[values.n === 1 && singular in catalog ? singular : key];
  if (text === undefined) throw new Error(`strings.json has no '${key}'`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? count(value) : String(value);
  });
}

/** Whether the catalog has a text for the key. */
export function has(key) {
  return key in catalog;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

export function count(n) {
  return (n < 100 ? tenths : whole).format(n);
}

/** 51200 -> '51 kB', 3942400 -> '3.9 MB', 1340000000 -> '1.3 GB' */
export function bytes(n) {
  if (n < 999.5e3) return t('unit.kb', { n: Math.round(n / 1e3) });
  return n < 999.5e6 ? t('unit.mb', { n: n / 1e6 }) : t('unit.gb', { n: n / 1e9 });
}

/** 48 -> '48 s', 80 -> '1 min 20 s', 7380 -> '2 h 3 min' */
export function duration(value) {
  const all = Math.round(value);
  const minutes = Math.floor(all / 60);
  if (minutes < 1) return t('unit.s', { n: all });
  if (minutes < 60) return t('unit.min', { n: minutes, s: all % 60 });
  return t('unit.h', { n: Math.floor(minutes / 60), m: minutes % 60 });
}

/** 0.034 -> '34 ms', 1.27 -> '1.3 s' */
export function seconds(value) {
  return value < 0.995 ? t('unit.ms', { n: Math.round(value * 1000) }) : t('unit.s', { n: value });
}

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

/** 0.034 -> '34 ms', 1.27 -> '1.3 s' */
export function seconds(value) {
  return value < 0.995 ? t('unit.ms', { n: Math.round(value * 1000) }) : t('unit.s', { n: value });
}

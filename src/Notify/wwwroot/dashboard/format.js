// Numbers and times as the reader's locale writes them.
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const figures = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const byHour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const bySecond = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const byMillisecond = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const byDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const count = (value) => whole.format(value);
export const short = (value) => compact.format(value);
export const hour = (value) => byHour.format(new Date(value));

/** To the millisecond, with the day where that is another. */
export function precise(value) {
  const date = new Date(value);
  return date.toDateString() === new Date().toDateString() ? byMillisecond.format(date) : `${day.format(date)}, ${byMillisecond.format(date)}`;
}

/** A rate a second: a slow one keeps its tenth, and what happens at all is never shown as nothing. */
export function rate(value) {
  if (value > 0 && value < 0.1) return `< ${tenths.format(0.1)}`;
  return value < 10 ? tenths.format(value) : whole.format(value);
}

/** The time of day, and the day where that is another. */
export function time(value) {
  const date = new Date(value);
  return (date.toDateString() === new Date().toDateString() ? bySecond : byDay).format(date);
}

/** A time that something took, given in seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${figures.format(seconds * 1000)} ms`;
  if (seconds < 10) return `${tenths.format(seconds)} s`;
  return long(seconds);
}

/** A time that something has lasted, given in seconds: its two largest units. */
export function long(seconds) {
  const units = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(units.findIndex(([, size]) => seconds >= size), 0);
  if (seconds < 60) return `${whole.format(seconds)} s`;
  let left = Math.round(seconds / units[Math.min(first + 1, 3)][1]) * units[Math.min(first + 1, 3)][1];
  const parts = [];
  for (const [unit, size] of units.slice(first, first + 2)) {
    const number = Math.floor(left / size);
    left -= number * size;
    if (number > 0) parts.push(`${whole.format(number)} ${unit}`);
  }
  return parts.join(" ");
}

/** The milliseconds between two moments, while they are few enough to be read. */
export function between(earlier, later) {
  const milliseconds = new Date(later) - new Date(earlier);
  return Math.abs(milliseconds) < 60_000 ? `${whole.format(milliseconds)} ms` : long(milliseconds / 1000);
}

export function megabytes(bytes) {
  return `${whole.format(bytes / 1_000_000)} MB`;
}

/** One word for one, another for more. */
export function many(number, one, more = `${one}s`) {
  return `${whole.format(number)} ${number === 1 ? one : more}`;
}

/** The end of an id, since those of one hour begin alike. */
export function brief(id) {
  return `…${id.slice(-8)}`;
}

/** A name as the API spells it, in words. */
export function words(name) {
  return name.replaceAll("_", " ").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

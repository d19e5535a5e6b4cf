// The last ten minutes: what is plotted.
import { $ } from "./elements.js";
import { count, duration, rate, short } from "./format.js";
import { Plot } from "./plot.js";

const MOST_HOSTS = 6;

const line = (name, value) => ({ name, value });
const rates = (past) => past.rates;
const tick = (seconds) => (seconds < 1 ? `${seconds * 1000} ms` : `${count(seconds)} s`);

const plots = [
  new Plot("Pushes a second", {
    points: rates, format: rate, ticks: short,
    lines: () => [
      line("POSTs", (point) => point.attempts), line("accepted", (point) => point.accepted),
      line("made to wait", (point) => point.deferred), line("given up", (point) => point.failed),
    ],
  }),
  new Plot("Times", {
    points: rates, format: duration, ticks: tick, isLog: true,
    lines: () => [
      line("POST, half within", (point) => point.postP50), line("POST, 99% within", (point) => point.postP99),
      line("Published to accepted, half within", (point) => point.latencyP50), line("accepted, 99% within", (point) => point.latencyP99),
    ],
  }),
  new Plot("Backlog since this page was opened", {
    points: (past) => past.backlogs, format: count, ticks: short,
    lines: ({ backlogs: [first] }) => [
      line(first?.hasQueues === false ? "pushes in mailboxes" : "messages in queues", (point) => point.queued), line("pushes in waiting lines", (point) => point.waiting),
    ],
  }),
  new Plot("POSTs a second by push service", { points: rates, format: rate, ticks: short, lines: linesByHost }),
];

for (const plot of plots) plot.appendTo($("plots"));

export function showPlots(past) {
  for (const plot of plots) plot.show(past);
}

// Those with most; in the order of their names, so that none changes its colour with its rate.
function linesByHost(past) {
  const sums = new Map();
  for (const { pushServices } of past.rates) for (const [host, number] of Object.entries(pushServices)) sums.set(host, (sums.get(host) ?? 0) + number);
  const hosts = [...sums].sort(([, one], [, other]) => other - one).slice(0, MOST_HOSTS).map(([host]) => host).sort();
  return hosts.map((host) => line(host, ({ pushServices }) => pushServices && (pushServices[host] ?? 0)));
}

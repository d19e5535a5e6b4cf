import { $, element, fillTable } from "./elements.js";
import { count, duration, long, rate, words } from "./format.js";

const columns = ["Push service", "POSTs/s", "Outcomes", "Half within", "99% within", "In flight", "Breaker", "Rest"];
const moods = { accepted: "good", retry_later: "wait", expired: "quiet" };
const breakers = { closed: ["passes", "good"], halfOpen: ["is probed", "wait"], open: ["down", "bad"] };
// By push service, the outcomes and statuses that came since the page was opened: their place stays when they stop, and nothing jumps.
const seen = new Map();

export function showServices({ pushServices }) {
  const services = pushServices.toSorted((one, other) => one.host.localeCompare(other.host));
  fillTable($("services"), columns, services.map(row), $("services-empty"));
}

function row(service) {
  const { host, attempts, postP50, postP99, inFlight, breaker, restSeconds } = service;
  const [word, mood] = breakers[breaker];
  return {
    key: host,
    cells: [
      host, { number: rate(attempts) }, outcomes(service), { number: duration(postP50) }, { number: duration(postP99) }, { number: count(inFlight) },
      element("span", { className: `state ${mood}` }, word), { number: restSeconds > 0 ? element("span", { className: `state ${breaker === "closed" ? "wait" : mood}` }, long(Math.ceil(restSeconds))) : "–" },
    ],
  };
}

function outcomes({ host, attempts, outcomes: byOutcome, statuses }) {
  const named = all(`${host} outcomes`, byOutcome);
  const bar = element("span", { className: "stack", attributes: { "aria-hidden": "true" } }, named.filter(([, number]) => number > 0).map(([name, number]) => {
    const part = element("span", { className: moods[name] ?? "bad" });
    part.style.width = `${(100 * number) / attempts}%`;
    return part;
  }));
  return element("div", { className: "outcomes" }, bar,
    element("span", { className: "facts" }, named.map(([name, number]) => element("span", { key: name, className: moods[name] ?? "bad" }, `${words(name)} ${rate(number)}`))),
    element("span", { className: "facts" }, all(`${host} statuses`, statuses).map(([status, number]) => element("span", { key: status }, `${status === "0" ? "no answer" : status}: ${rate(number)}`))));
}

function all(place, numbers) {
  if (!seen.has(place)) seen.set(place, new Set());
  for (const name of Object.keys(numbers)) seen.get(place).add(name);
  return [...seen.get(place)].sort().map((name) => [name, numbers[name] ?? 0]);
}

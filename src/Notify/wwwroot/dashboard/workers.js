import { $, element, fillTable } from "./elements.js";
import { count, duration, long, megabytes, rate, time } from "./format.js";
import { LONG_IN_HAND } from "./status.js";

const columns = ["Worker", "Standing", "Version", "Up since", "Memory", "Processors", "POSTs/s", "In hand", "Oldest"];

export function showWorkers({ at, workers }) {
  fillTable($("workers"), columns, workers.map((worker) => row(worker, at)), $("workers-empty"));
}

function row({ id, host, processId, version, startedAt, at, isAway, memoryBytes, processors, attempts, inHand, oldestInHandSeconds }, now) {
  const silent = (Date.parse(now) - Date.parse(at)) / 1000;
  return {
    key: id,
    mood: isAway ? "away" : "",
    cells: [
      [host, " ", element("small", {}, `process ${processId}`)],
      element("span", { className: `state ${isAway ? "bad" : ""}` }, isAway ? `away for ${long(silent)}` : "at work"),
      version, time(startedAt), { number: megabytes(memoryBytes) }, { number: processors.toLocaleString(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) },
      { number: rate(attempts) }, { number: count(inHand) }, { number: inHand > 0 ? element("span", { className: oldestInHandSeconds > LONG_IN_HAND ? "state bad" : "" }, duration(oldestInHandSeconds)) : "–" },
    ],
  };
}

// The page at /dashboard: what the service tells of itself at /api/dashboard, from top to bottom.
import { showBrowsers } from "./dashboard/browsers.js";
import { $ } from "./dashboard/elements.js";
import { showFailures } from "./dashboard/failures.js";
import { startFinding } from "./dashboard/find.js";
import { Past } from "./dashboard/past.js";
import { showPlots } from "./dashboard/plots.js";
import { showQueues } from "./dashboard/queues.js";
import { showServices } from "./dashboard/services.js";
import { showLost, showStatus } from "./dashboard/status.js";
import { follow } from "./dashboard/stream.js";
import { showWorkers } from "./dashboard/workers.js";

const past = new Past();

function told(name, data) {
  if (name === "history") past.begin(data);
  if (name === "live") show(data);
}

function show(live) {
  past.add(live);
  $("live").hidden = false;
  $("live").classList.remove("stale");
  showStatus(live, past);
  showPlots(past);
  showServices(live);
  showQueues(live);
  showWorkers(live);
  showFailures(live);
  showBrowsers(live);
}

function lost() {
  $("live").classList.add("stale");
  showLost(past);
}

startFinding();
void follow("/api/dashboard/live", { told, lost });

// The page at /: uses notify.js as an application would, and the HTTP API for the rest.
import * as notify from "/notify.js";

const $ = (id) => document.getElementById(id);
const postedAt = new Map(); // messageId -> performance.now() at its POST
let lastMessage; // the message whose deliveries are shown

const names = {
  secureContext: "Secure context (https or localhost)",
  serviceWorker: "Service worker",
  PushManager: "Push API",
  Notification: "Notifications",
  homeScreen: "Added to the home screen",
  siteData: "Cookies and site data",
};

// Where site data are blocked, the very look at localStorage throws: the page then forgets.
const kept = {
  get(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // Said in showStanding().
    }
  },
};

function user() {
  return $("user").value.trim() || "ada";
}

// To fetch a header is bytes, one a character; Notify reads them as UTF-8.
function headers() {
  return { "X-Notify-User": String.fromCharCode(...new TextEncoder().encode(user())) };
}

function signIn() {
  $("user").value = user();
  notify.configure({ headers: headers() });
  $("owner").textContent = user();
  $("recipient").placeholder = user();
  if (!$("title").dataset.edited) $("title").value = `Hello, ${user()}`;
  $("user").closest(".step").classList.toggle("done", kept.get("notify.user") === user());
}

function remember() {
  kept.set("notify.user", user());
  signIn();
}

async function showStanding() {
  const { supported, missing, permission, subscribed, registered } = await notify.state();
  const ready = subscribed && registered;
  const [text, mood] = standing(supported, missing, permission, subscribed, ready);
  $("standing").textContent = text;
  $("standing").className = `standing ${mood}`;
  const focused = document.activeElement;
  $("subscribe").hidden = !supported || permission === "denied" || ready;
  $("unsubscribe").hidden = !subscribed;
  // The button that had the focus may be gone; its place is taken by the other, or by what is said where there is none.
  const buttons = [$("subscribe"), $("unsubscribe")];
  if (buttons.includes(focused) && focused.hidden) (buttons.find(({ hidden }) => !hidden) ?? $("standing")).focus();
  $("subscribe").closest(".step").classList.toggle("done", ready);
  $("browser").open ||= !supported;
  const all = Object.keys(names).filter((name) => !["homeScreen", "siteData"].includes(name) || missing.includes(name));
  $("compatibility").replaceChildren(
    ...all.map((name) => check(names[name], !missing.includes(name), !missing.includes(name) ? "yes" : name === "siteData" ? "blocked" : "missing")),
    check("Permission", permission === "granted", { granted: "granted", denied: "blocked", default: "not asked yet" }[permission], permission === "default"));
}

function standing(supported, missing, permission, subscribed, ready) {
  if (missing.includes("homeScreen")) return ["On iPhone and iPad: share, Add to Home Screen, then open it from there.", "bad"];
  if (missing.includes("siteData")) return ["Site data are blocked: allow cookies and site data in the browser's settings for this site.", "bad"];
  if (!supported) return ["This browser cannot receive push messages here.", "bad"];
  if (permission === "denied") return ["Notifications are blocked: allow them in the browser's settings for this site.", "bad"];
  if (ready) return ["This browser is subscribed.", "good"];
  if (subscribed) return ["Subscribed in the browser, but Notify does not know it yet.", ""];
  return [permission === "granted" ? "Allowed, not subscribed." : "Your browser will ask for permission.", ""];
}

function check(text, good, answer, neutral) {
  return element("li", {}, element("span", {}, text), element("span", { className: neutral ? "" : good ? "yes" : "no" }, answer));
}

async function showSubscriptions() {
  const owner = user();
  const subscriptions = await call("GET", "/api/subscriptions");
  if (owner !== user()) return;
  const here = kept.get("notify.subscription");
  fill("subscriptions", subscriptions.map(({ id, pushService, userAgent, createdAt, lastAcceptedAt }) => {
    const browser = browserName(userAgent);
    const remove = element("button", { type: "button", className: "plain", ariaLabel: `Delete the subscription of ${browser} at ${pushService}` }, "Delete");
    remove.onclick = async () => {
      await attempt(remove, async () => {
        if (id === here) await notify.unsubscribe();
        else await call("DELETE", `/api/subscriptions/${encodeURIComponent(id)}`);
        await refresh();
      });
      if (!remove.isConnected && document.activeElement === document.body) $("subscriptions-heading").focus();
    };
    return element("li", {},
      element("div", { className: "what" },
        element("strong", {}, id === here ? `${browser}, this browser` : browser),
        element("small", {}, `${pushService} · since ${time(createdAt)}${lastAcceptedAt ? ` · last push ${time(lastAcceptedAt)}` : ""}`)),
      remove);
  }));
}

async function refresh() {
  await Promise.all([showStanding(), showSubscriptions()]);
}

async function subscribe() {
  const { id } = await notify.subscribe();
  kept.set("notify.subscription", id);
  remember();
}

async function send() {
  const form = new FormData($("message-form"));
  const field = (name) => form.get(name).trim() || undefined;
  const recipientIds = (field("recipient") ?? user()).split(",").map((id) => id.trim()).filter(Boolean);
  const messageId = crypto.randomUUID();
  const message = { messageId, recipientIds, title: field("title"), body: field("body"), url: field("url"), tag: field("tag") };
  $("sent").textContent = "Sending…";
  postedAt.set(messageId, performance.now());
  try {
    await call("POST", "/api/messages", message);
  } catch (error) {
    $("sent").textContent = "";
    throw error;
  }
  $("sent").textContent = "202 Accepted";
  $("message-form").closest(".step").classList.add("done");
  lastMessage = messageId;
  fill("deliveries", []);
  $("deliveries-empty").textContent = "None yet. There will be none if the recipient has no subscription.";
  void followDeliveries(messageId).catch(report);
}

// Asks until every row has come to an end, less often as it takes longer; a newer message takes over. Whether what was accepted is also
// displayed, a browser says soon or never.
async function followDeliveries(messageId) {
  const end = performance.now() + 10 * 60_000;
  let seen;
  let settled;
  for (let pause = 200; messageId === lastMessage && performance.now() < end; pause = Math.min(pause * 1.5, 3000)) {
    const rows = await call("GET", `/api/messages/${messageId}/deliveries`);
    if (messageId !== lastMessage) return;
    // Filled on change alone, since a screen reader speaks what is filled in.
    if (seen !== (seen = JSON.stringify(rows))) fill("deliveries", rows.map(delivery));
    if (rows.length > 0 && rows.every(({ state }) => moods[state] !== "wait")) {
      if (!settled) void showSubscriptions().catch(report);
      settled ??= performance.now();
      if (rows.every(({ state }) => state !== "accepted") || performance.now() > settled + 10_000) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

const moods = { pending: "wait", retrying: "wait", expired: "bad", failed: "bad" };

function delivery({ userId, state, attempts, status, reason, nextAttemptAt, updatedAt, displayedAt, clickedAt, clickedAction }) {
  const facts = [
    `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
    status && `HTTP ${status}`,
    reason,
    state === "retrying" && nextAttemptAt && `next at ${time(nextAttemptAt)}`,
    updatedAt && time(updatedAt),
    displayedAt && `displayed ${time(displayedAt)}`,
    clickedAt && `${clickedAction ? `“${clickedAction}” clicked` : "clicked"} ${time(clickedAt)}`,
  ];
  return element("li", {},
    element("div", { className: "what" }, element("strong", {}, userId), element("small", {}, facts.filter(Boolean).join(" · "))),
    element("span", { className: `state ${moods[state] ?? ""}` }, state));
}

function showArrived({ title, body, navigate, data }) {
  const took = postedAt.has(data.messageId) && `${Math.round(performance.now() - postedAt.get(data.messageId))} ms`;
  const row = element("li", {},
    element("div", { className: "what" },
      element("strong", {}, title), body ? element("span", {}, body) : "", navigate && !["/", "./"].includes(navigate) ? element("small", {}, navigate) : ""),
    element("span", { className: "figure" }, took ? element("b", {}, took) : "", time(Date.now())));
  $("arrived").prepend(row);
  $("arrived-empty").hidden = true;
  while ($("arrived").childElementCount > 20) $("arrived").lastElementChild.remove();
}

async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { ...headers(), ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  }).catch(() => { throw new Error("Notify could not be reached."); });
  const content = await response.json().catch(() => undefined);
  if (response.ok) return content;
  throw new notify.NotifyError(content?.code ?? `http_${response.status}`, content?.detail ?? content?.title ?? `Notify answered ${response.status}.`, { status: response.status });
}

// Runs an action of a button: the button waits, an error is shown.
async function attempt(button, action) {
  const hadFocus = document.activeElement === button && button instanceof HTMLButtonElement;
  $("problem").hidden = true;
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    report(error);
  } finally {
    button.disabled = false;
    // A button that is disabled loses the focus; meanwhile the user may have gone elsewhere.
    if (hadFocus && document.activeElement === document.body) button.focus();
  }
}

function report(error) {
  $("problem").hidden = false;
  $("problem-text").textContent = error.status === 401
    ? "Notify asks for a token. This page signs in by name, which works in Development on this machine only."
    : error.message;
}

function fill(id, rows) {
  $(id).replaceChildren(...rows);
  $(`${id}-empty`).hidden = rows.length > 0;
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function time(value) {
  const date = new Date(value);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(undefined, today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}

function browserName(userAgent = "") {
  const known = [[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chrome"], [/Safari\//, "Safari"]];
  const systems = [[/iPhone|iPad/, "iOS"], [/Android/, "Android"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/Linux/, "Linux"]];
  const first = (list) => list.find(([pattern]) => pattern.test(userAgent))?.[1];
  return [first(known) ?? "A user agent", first(systems)].filter(Boolean).join(" on ");
}

$("user").value = kept.get("notify.user") ?? "ada";
signIn();
notify.onMessage(showArrived);
$("title").oninput = () => { $("title").dataset.edited = "yes"; };

$("user-form").onsubmit = (event) => {
  event.preventDefault();
  $("user").blur();
};
$("user").onchange = async () => {
  remember();
  // A browser has one user at a time: the new one takes its subscription over.
  await attempt($("user"), async () => {
    fill("subscriptions", []);
    if ((await notify.state()).subscribed) await subscribe();
    await refresh();
  });
};
$("subscribe").onclick = async () => {
  await attempt($("subscribe"), subscribe);
  await refresh().catch(report);
};
$("unsubscribe").onclick = async () => {
  await attempt($("unsubscribe"), notify.unsubscribe);
  await refresh().catch(report);
};
$("problem-close").onclick = () => { $("problem").hidden = true; };
$("message-form").onsubmit = (event) => {
  event.preventDefault();
  void attempt(event.submitter ?? $("message-form"), send);
};

// What configure() does behind this may have made the browser another subscription.
void notify.reconcile().then((registered) => {
  if (!registered || registered.id === kept.get("notify.subscription")) return undefined;
  kept.set("notify.subscription", registered.id);
  return refresh();
}).catch(() => {});
await refresh().catch(report);
document.documentElement.dataset.ready = "yes";

// The client module of Notify. Import it from the Notify service or copy it into your application:
//
//   import { configure, subscribe } from "https://notify.example/notify.js";
//   configure({ headers: async () => ({ Authorization: `Bearer ${await token()}` }) });
//   button.onclick = () => subscribe();
//
// Call configure() on every page, once your user is signed in: where this browser was subscribed before, it
// sets right what has changed since (see reconcile). Types: notify.d.ts.

/** The one error this module throws: `code` is stable, `status` is the HTTP status where there was one. */
export class NotifyError extends Error {
  constructor(code, message, { status, cause } = {}) {
    super(message, { cause });
    this.name = "NotifyError";
    this.code = code;
    this.status = status;
  }
}

const defaults = {
  api: undefined,
  headers: {},
  serviceWorker: "/service-worker.js",
  scope: undefined,
};

/** Sets options for all later calls; each call may override them. Then reconciles, in the background. */
export function configure(options) {
  Object.assign(defaults, known(options));
  reconcile().catch(() => {});
}

/** What this browser lacks, if anything, to receive push messages. */
export function isSupported() {
  const missing = [];
  if (!globalThis.isSecureContext) missing.push("secureContext");
  if (!("serviceWorker" in (globalThis.navigator ?? {}))) missing.push("serviceWorker");
  if (!("PushManager" in globalThis)) missing.push("PushManager");
  if (!("Notification" in globalThis)) missing.push("Notification");
  if (missing.length > 0 && isAppleMobile() && !isInstalled()) missing.push("homeScreen");
  if (missing.length === 0 && isStorageBlocked()) missing.push("siteData");
  return { supported: missing.length === 0, missing };
}

/** How things stand, without asking the user or the network anything. */
export async function state(options) {
  const { supported, missing } = isSupported();
  const permission = globalThis.Notification?.permission ?? "default";
  if (!supported) return { supported, missing, permission, subscribed: false, registered: false };
  const registration = await findRegistration(settle(options));
  const subscription = registration && (await subscriptionOf(registration));
  const saved = subscription && (await settings.read(registration.scope));
  return {
    supported,
    missing,
    permission,
    subscribed: Boolean(subscription),
    registered: Boolean(subscription) && saved?.endpoint === subscription.endpoint,
  };
}

// One after the other: two clicks must not make two push subscriptions, and the last user wins.
let last = Promise.resolve();
let unsubscribed = 0; // How often unsubscribe() was called.
let asking; // For permission: a second click must not close the first one's question.

function inTurn(action) {
  last = last.catch(() => {}).then(action);
  return last;
}

// How long each thing that others do for us may take, in milliseconds: the next call waits for it.
const PATIENCE = 30_000;

// Gives up on what takes longer; nothing can stop it.
function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new DOMException(`No answer within ${PATIENCE / 1000} seconds.`, "TimeoutError")), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Nor must two tabs, or the worker meanwhile. One that takes unreasonably long is not waited for, and a browser that refuses the lock not heeded.
async function alone({ scope }, action) {
  if (!navigator.locks) return action();
  let isBegun = false;
  const begin = () => {
    isBegun = true;
    return action();
  };
  try {
    return await navigator.locks.request(`notify.js ${scope}`, { signal: AbortSignal.timeout?.(PATIENCE) }, begin);
  } catch (error) {
    if (isBegun) throw error;
    return action();
  }
}

/**
 * Subscribes this browser for the user whom the headers name. Idempotent. The first call must come from a user gesture,
 * since it asks for permission.
 */
export async function subscribe(options) {
  const before = unsubscribed;
  if (!canWork()) throw new NotifyError("not_supported", `This browser cannot receive push messages here: no ${isSupported().missing.join(", ")}.${globalThis.isSecureContext ? "" : " The page must come by https, or from localhost."}`);
  let { permission } = Notification;
  if (permission === "default") {
    // Before anything else is awaited, while the user gesture lasts; and out of turn, since it may never be answered.
    permission = await (asking ??= Notification.requestPermission().finally(() => (asking = undefined)));
    // The later call counts, as it does in turn.
    if (unsubscribed !== before) throw new NotifyError("unsubscribed", "unsubscribe() was called while the user was asked for permission.");
  }
  return inTurn(() => {
    const settled = settle(options);
    return alone(settled, async () => {
      const registered = await subscribeNow(settled, permission);
      // An unsubscribe() that was not finished is so no more, unless it came later.
      if (unsubscribed === before) await noteEnding(settled, undefined);
      return registered;
    });
  });
}

/**
 * Sets right what has changed since subscribe() was called in this browser: another user, another key of the service, another
 * endpoint, a service that has forgotten it, a permission that was taken back. Asks the user nothing, and does nothing where
 * subscribe() was never called or unsubscribe() was. configure() calls it.
 */
export function reconcile(options) {
  return inTurn(async () => {
    if (!canWork()) return undefined;
    const settled = settle(options);
    return alone(settled, () => reconcileNow(settled));
  });
}

async function reconcileNow(settled) {
  const registration = await findRegistration(settled);
  if (registration && (await settings.read(endingOf(settled)))) {
    await unsubscribeNow(settled);
    return undefined;
  }
  const saved = registration && (await settings.read(registration.scope));
  if (!saved) return undefined;
  if (Notification.permission === "granted") return subscribeNow(settled, "granted");
  // Taken back: the browser has dropped the subscription without a word to anybody. Should it be given again, the user is subscribed again.
  if (saved.endpoint) await remove(settled, saved.endpoint);
  await settings.write(registration.scope, { ...saved, endpoint: undefined });
  return undefined;
}

async function subscribeNow(options, permission) {
  if (permission === "denied") throw new NotifyError("permission_denied", "Notifications are blocked for this site in the browser's settings.");
  if (permission !== "granted") throw new NotifyError("permission_dismissed", "The question for permission was closed without an answer.");

  const { publicKey } = await call(options, "GET", "api/vapid-public-key");
  const registration = await register(options);
  const saved = await settings.read(registration.scope);
  const { subscription, replaced } = await subscribeAt(registration, publicKey);
  // The endpoint last registered may also have been replaced behind our back, by the browser or by the worker when it had no token;
  // and that one now, too.
  const before = saved?.endpoint ?? replaced;
  const [replaces, another] = new Set([before, replaced].filter((endpoint) => endpoint && endpoint !== subscription.endpoint));

  // The endpoint becomes the registered one, and the headers those of the worker, only once the service has taken them.
  const worker = { api: options.api, headers: typeof options.headers === "function" ? {} : plain(options.headers) };
  await settings.write(registration.scope, { ...worker, ...saved, endpoint: before });
  const { id, isNew } = await call(options, "POST", "api/subscriptions", { ...subscription.toJSON(), applicationServerKey: publicKey, replaces });
  await settings.write(registration.scope, { ...worker, endpoint: subscription.endpoint });
  // If the service does know it and cannot be told, its push service will: the browser has ended it.
  if (another) await remove(options, another).catch(() => {});
  // The service has forgotten it: perhaps since it had come to its end at its push service, which does not tell the browser.
  if (isNew && saved?.endpoint === subscription.endpoint) {
    await end(registration, subscription);
    return subscribeNow(options, permission);
  }
  return { id, isNew };
}

async function subscribeAt(registration, publicKey) {
  const existing = await subscriptionOf(registration);
  if (existing && sameBytes(existing.options.applicationServerKey, fromBase64Url(publicKey))) return { subscription: existing };
  if (existing) await end(registration, existing);
  try {
    const subscription = await inTime(makeOnce(registration, publicKey));
    return { subscription, replaced: existing?.endpoint };
  } catch (cause) {
    if (cause.name === "NotAllowedError") throw new NotifyError("permission_denied", "The browser does not permit push messages here.", { cause });
    throw new NotifyError("push_service_unavailable", "The browser could not subscribe at its push service.", { cause });
  }
}

// What the browser has been asked for and not given yet. Chromium waits for its push service for as long as that cannot be reached, and of two that
// wait it may keep neither. A subscription that comes too late stays: nobody knows it, and the next call takes it over.
const underway = new Map();

function makeOnce({ scope, pushManager }, publicKey) {
  const key = `${scope} ${publicKey}`;
  if (!underway.has(key)) {
    const made = pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: fromBase64Url(publicKey) });
    underway.set(key, made.finally(() => underway.delete(key)));
  }
  return underway.get(key);
}

/**
 * Ends the push subscription of this browser; true when there was one. When the service cannot be told, the browser
 * is unsubscribed all the same (the service learns it from the push service at the next push) and the error is thrown.
 * What is shown of it is closed.
 */
export async function unsubscribe(options) {
  unsubscribed++;
  if (!canWork()) return false;
  const settled = settle(options);
  const noted = noteEnding(settled, {});
  return inTurn(async () => {
    await noted;
    return alone(settled, () => unsubscribeNow(settled));
  });
}

async function unsubscribeNow(settled) {
  const registration = await findRegistration(settled);
  if (!registration) {
    await noteEnding(settled, undefined);
    return false;
  }
  const subscription = await subscriptionOf(registration);
  // The browser may have dropped it unasked, or for a page that was left then, and the service not know yet.
  const endpoint = subscription?.endpoint ?? (await settings.read(registration.scope))?.endpoint ?? (await settings.read(endingOf(settled)))?.endpoint;
  await noteEnding(settled, { endpoint });
  // All at once: the user may leave the page at any moment. And whichever fails, the others do not.
  const outcomes = await Promise.allSettled([
    subscription && end(registration, subscription),
    settings.write(registration.scope, undefined),
    endpoint && remove(settled, endpoint),
    closeShown(registration),
  ]);
  const [ended, forgotten] = outcomes;
  if (ended.status === "fulfilled" && forgotten.status === "fulfilled") await noteEnding(settled, undefined);
  for (const { reason } of outcomes) if (reason) throw reason;
  return Boolean(subscription);
}

// Notes at once, out of turn, that this browser is to be unsubscribed. If the page is left before that is finished, or has begun, the next page finishes it.
function noteEnding(settled, ending) {
  return settings.write(endingOf(settled), ending).catch(() => {});
}

function endingOf({ scope }) {
  return `ending ${scope}`;
}

// Whoever uses this browser next need not read them. The application's own stay.
async function closeShown(registration) {
  const shown = await inTime(registration.getNotifications()).catch(() => []);
  for (const notification of shown) if (notification.data?.messageId) notification.close();
}

async function end(registration, subscription) {
  try {
    await inTime(subscription.unsubscribe());
  } catch (cause) {
    // Firefox says that its push service could not be told, and has dropped it all the same.
    if (await subscriptionOf(registration)) throw new NotifyError("push_service_unavailable", "The browser could not end its subscription.", { cause });
  }
}

async function subscriptionOf({ pushManager }) {
  try {
    return await inTime(pushManager.getSubscription());
  } catch (cause) {
    throw new NotifyError("push_service_unavailable", "The browser could not say whether it is subscribed.", { cause });
  }
}

async function remove(options, endpoint) {
  try {
    await call(options, "DELETE", `api/subscriptions?endpoint=${encodeURIComponent(endpoint)}`);
  } catch (error) {
    // It is gone already, or somebody else's.
    if (error.status !== 404) throw error;
  }
}

// A page may have this module twice, its own copy and a part's: they answer the worker as one.
const shared = Symbol.for("notify.js");
const isFirst = !(shared in globalThis);
const { messageHandlers, navigateHandlers } = (globalThis[shared] ??= { messageHandlers: new Set(), navigateHandlers: new Set() });

/**
 * Calls the handler with each notification that arrives while this page is open. If this page is in sight, `preventDefault()` of the handler's
 * second argument, called before the handler returns or awaits, has the notification not shown. Returns a function that stops it.
 */
export function onMessage(handler) {
  return add(messageHandlers, handler);
}

/**
 * Calls the handler with the URL to which a click on a notification leads, in the window that it leads there: for an application that routes by itself.
 * Without one, or if it throws or rejects, the page at that URL is loaded. Returns a function that stops it.
 */
export function onNavigate(handler) {
  return add(navigateHandlers, handler);
}

// Twice the same handler is called twice, and stopped once each.
function add(handlers, handler) {
  const entry = { handler };
  handlers.add(entry);
  return () => handlers.delete(entry);
}

// One that fails must keep nothing from the others. Returns a promise for each: true if it succeeded.
function tell(handlers, ...details) {
  const failed = (error) => {
    reportError(error);
    return false;
  };
  return [...handlers].map(({ handler }) => {
    try {
      return Promise.resolve(handler(...details)).then(() => true, failed);
    } catch (error) {
      return failed(error);
    }
  });
}

if (isFirst) serviceWorkers()?.addEventListener("message", ({ data, ports }) => {
  if (data?.type === "notify:push") {
    let isPrevented = false;
    tell(messageHandlers, data.notification, { preventDefault: () => (isPrevented = true) });
    ports[0]?.postMessage(isPrevented);
  }
  // The worker does not know where an application that routes by itself is, and cannot navigate a window that it does not control.
  if (data?.type === "notify:where") ports[0]?.postMessage(location.href);
  if (data?.type === "notify:navigate") go(new URL(data.url, location));
});

async function go(url) {
  if (url.origin !== location.origin) return;
  const led = await Promise.all(tell(navigateHandlers, url));
  if (!led.includes(true)) location.assign(url);
}

// A server that renders pages imports this module too, and has none; in a sandboxed frame the very look at them throws.
function serviceWorkers() {
  try {
    return globalThis.navigator?.serviceWorker;
  } catch {
    return undefined;
  }
}

function settle(options) {
  const settled = { ...defaults, ...known(options) };
  settled.api = urlOf("api", `${settled.api ?? new URL(import.meta.url).origin}`.replace(/\/?$/, "/"), location);
  settled.serviceWorker = urlOf("serviceWorker", settled.serviceWorker, location);
  settled.scope = urlOf("scope", settled.scope ?? ".", settled.serviceWorker);
  return settled;
}

function urlOf(option, value, base) {
  try {
    return new URL(value, base).href;
  } catch (cause) {
    throw new NotifyError("invalid_options", `The option ${option} is no URL: ${value}.`, { cause });
  }
}

function known(options) {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([name, value]) => name in defaults && value !== undefined));
}

async function findRegistration({ scope }) {
  const registration = await inTime(navigator.serviceWorker.getRegistration(scope)).catch((cause) => {
    throw isStorageBlocked() ? storageBlocked(cause) : new NotifyError("service_worker_failed", "The service worker could not be looked for.", { cause });
  });
  // The browser answers with the closest scope, which may be another part of the application.
  return registration?.scope === scope ? registration : undefined;
}

async function register({ serviceWorker, scope }) {
  let registration = await findRegistration({ scope });
  // The application's own, perhaps a module or under Trusted Types: as it has registered it.
  const isThere = [registration?.active, registration?.waiting, registration?.installing].some((worker) => worker?.scriptURL === serviceWorker);
  if (!isThere) try {
    registration = await inTime(navigator.serviceWorker.register(serviceWorker, { scope }));
  } catch (cause) {
    throw new NotifyError("service_worker_failed", `The service worker could not be registered: is ${serviceWorker} there, and a script?`, { cause });
  }
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  // navigator.serviceWorker.ready would wait for ever on a page outside the scope.
  const ready = new Promise((resolve, reject) => {
    const check = () => {
      if (worker.state === "activated" || registration.active) resolve();
      else if (worker.state === "redundant") reject();
    };
    worker.addEventListener("statechange", check);
    check();
  });
  await inTime(ready).catch((cause) => {
    throw new NotifyError("service_worker_failed", "The service worker could not be installed.", { cause });
  });
  return registration;
}

async function headersOf(headers) {
  try {
    return plain(typeof headers === "function" ? await inTime(headers()) : headers);
  } catch (cause) {
    throw new NotifyError("headers_failed", "The application's headers could not be had.", { cause });
  }
}

// Whatever kind of headers they are: of names and values that may be sent, and as IndexedDB can keep them.
function plain(headers) {
  return Object.fromEntries(new Headers(headers ?? {}));
}

async function call({ api, headers }, method, path, body) {
  const all = new Headers(await headersOf(headers));
  if (body) all.set("Content-Type", "application/json");
  if (!all.has("Accept")) all.set("Accept", "application/json");
  let response;
  let content;
  try {
    response = await fetch(new URL(path, api), {
      method,
      // Whoever signs out may leave the page at once.
      keepalive: method === "DELETE",
      headers: all,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    content = parse(await response.text());
  } catch (cause) {
    throw new NotifyError("network_error", `Notify could not be reached at ${api}. If it is there, the browser's console says why this page may not.`, { cause });
  }
  if (response.ok && (content || response.status === 204)) return content;
  const message = content?.detail ?? content?.title ?? `${api} answered ${response.status}, but not with an answer of Notify's. Is that its address, or did a proxy before it fail?`;
  throw new NotifyError(content?.code ?? `http_${response.status}`, message, { status: response.status });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Whether there is anything to be done or undone. Where storage is blocked there may be, out of reach.
function canWork() {
  const { supported, missing } = isSupported();
  if (missing.includes("siteData")) throw storageBlocked();
  return supported;
}

function storageBlocked(cause) {
  return new NotifyError("storage_blocked", "The browser lets this site keep no data, which push messages need.", { cause });
}

// All other stores of a site say so only when they are used.
function isStorageBlocked() {
  try {
    void globalThis.localStorage;
    return false;
  } catch {
    return true;
  }
}

function isAppleMobile() {
  const { userAgent, maxTouchPoints } = globalThis.navigator ?? {};
  // iPadOS calls itself a Macintosh; no Macintosh has a touch screen.
  return /iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1);
}

function isInstalled() {
  return navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;
}

function fromBase64Url(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

function sameBytes(buffer, bytes) {
  const other = new Uint8Array(buffer ?? 0);
  return other.length === bytes.length && other.every((value, index) => value === bytes[index]);
}

// What service-worker.js needs when the browser changes the push subscription and no page is open, by scope.
const settings = {
  read: (scope) => settings.run("readonly", (store) => store.get(scope)),
  write: (scope, value) => settings.run("readwrite", (store) => (value ? store.put(value, scope) : store.delete(scope))),
  async run(mode, action) {
    let database;
    try {
      database = await inTime(finished(Object.assign(indexedDB.open("notify.js", 1), {
        onupgradeneeded: ({ target }) => target.result.createObjectStore("settings"),
      })));
      return await finished(action(database.transaction("settings", mode).objectStore("settings")));
    } catch (cause) {
      throw storageBlocked(cause);
    } finally {
      database?.close();
    }
  },
};

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

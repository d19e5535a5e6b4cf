// The service worker of Notify: a classic script. Copy it to your application's origin, or write one that says
//   importScripts("https://notify.example/service-worker.js");

// One function around all of it: the names of an application that imports this stay its own.
(() => {
  "use strict";

  const DEFAULT_TITLE = "New message";

  // A worker that imports this may have the say on when it takes over.
  if (self.notifyTakesOver !== false) {
    self.addEventListener("install", () => self.skipWaiting());
    self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
  }
  self.addEventListener("push", (event) => event.waitUntil(receive(event.data)));
  self.addEventListener("notificationclick", (event) => {
    const { data } = event.notification;
    event.notification.close();
    event.waitUntil(Promise.allSettled([open(target(data, event.action)), report(data, "clicked", event.action || undefined)]));
  });
  // A listener makes some browsers report a dismissal to the worker; nothing follows from it here.
  self.addEventListener("notificationclose", () => {});
  // Not while notify.js is at it in a page.
  self.addEventListener("pushsubscriptionchange", (event) =>
    event.waitUntil(self.navigator.locks?.request(`notify.js ${self.registration.scope}`, () => renew(event)) ?? renew(event)));

  // One after the other: a browser may run push events at once, and neither the look at what is shown nor what pages are told must be overtaken.
  // One that hangs holds the others up no longer than this.
  const PATIENCE = 3000;
  let showing = Promise.resolve();
  let telling = Promise.resolve();

  const inTime = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  const after = (earlier, next) => inTime(earlier).then(next);

  async function receive(data) {
    const notification = read(data);
    const told = after(telling, () => tell(notification)).catch(() => []);
    const shown = after(showing, async () => show(notification, await inTime(told.then(isPrevented).catch(() => false))));
    [showing, telling] = [shown.catch(() => {}), told];
    const [isShown] = await Promise.all([shown, told]);
    if (isShown) await report(notification.data, "displayed");
  }

  async function isPrevented(answers) {
    return (await Promise.all(answers)).includes(true);
  }

  // Whatever comes, something is shown: a browser takes the subscription from a site that stays silent.
  function read(data) {
    const text = data?.text() ?? "";
    const content = parse(text);
    if (!isObject(content)) return { title: DEFAULT_TITLE, ...(text && { body: text }), data: {} };
    const source = isObject(content.notification) ? content.notification : content;
    const notification = { title: DEFAULT_TITLE, data: isObject(source.data) ? source.data : {} };
    for (const name of ["title", "body", "navigate", "tag", "icon", "image"])
      if (typeof source[name] === "string" && source[name].trim()) notification[name] = source[name];
    for (const name of ["requireInteraction", "renotify", "silent"])
      if (typeof source[name] === "boolean") notification[name] = source[name];
    if (Number.isFinite(source.timestamp)) notification.timestamp = source.timestamp;
    const badge = Number(content.app_badge ?? source.app_badge ?? NaN);
    if (Number.isSafeInteger(badge) && badge >= 0) notification.badgeCount = badge;
    if (Array.isArray(source.actions))
      notification.actions = source.actions.filter((action) => typeof action?.action === "string" && typeof action?.title === "string");
    return notification;
  }

  // Chromium lets a site stay silent while a page of it is in sight, and so does Firefox, but not sixteen times within three seconds. Safari does not; any other is taken for Safari.
  const MAY_STAY_SILENT = /(Chrome|Firefox)\//.test(self.navigator.userAgent);
  const MOST_LEFT_OUT = 8;
  const WITHIN = 4000;
  let leftOut = [];

  function mayLeaveOut() {
    const now = Date.now();
    leftOut = leftOut.filter((time) => now - time < WITHIN);
    return MAY_STAY_SILENT && leftOut.length < MOST_LEFT_OUT && leftOut.push(now) > 0;
  }

  // Whether it was this one that was shown.
  async function show(notification, isPrevented) {
    const { title, navigate, renotify, badgeCount, actions = [], ...rest } = notification;
    // A push message may come twice: the second replaces the first.
    const tag = rest.tag ?? rest.data.messageId ?? "";
    const isLeftOut = isPrevented && mayLeaveOut();
    const newer = await findNewer(tag, rest.data.publishedAt).catch(() => undefined);
    if (newer) {
      // Something must be shown for each push; the newer one again, without a sound.
      if (!isLeftOut) await display(newer.title, { ...optionsOf(newer), silent: true });
      return false;
    }
    if (badgeCount !== undefined) self.navigator.setAppBadge?.(badgeCount).catch(() => {});
    if (isLeftOut) {
      // What it would have replaced.
      if (tag) for (const older of await self.registration.getNotifications({ tag })) older.close();
      return false;
    }
    const options = {
      ...rest,
      tag,
      actions: actions.slice(0, self.Notification?.maxActions ?? 0).map(({ action, title, icon }) => ({ action, title, icon })),
      data: { ...rest.data, navigate, actions: Object.fromEntries(actions.map((action) => [action.action, action.navigate])) },
    };
    // Without a tag, renotify is a TypeError.
    if (renotify && options.tag) options.renotify = true;
    if (isPrevented) options.silent = true;
    await display(title, options);
    return true;
  }

  function display(title, options) {
    return self.registration.showNotification(title, options).catch(() =>
      // An option this browser refuses must not cost the notification.
      self.registration.showNotification(title, { body: options.body, tag: options.tag, data: options.data }));
  }

  // Push services promise no order. Publishers' clocks differ a little; within that the order of arrival counts.
  const CLOCKS_DIFFER = 1000;

  async function findNewer(tag, publishedAt) {
    if (!tag || !Number.isFinite(publishedAt)) return undefined;
    const shown = await self.registration.getNotifications({ tag });
    return shown.find(({ data }) => data?.publishedAt > publishedAt + CLOCKS_DIFFER);
  }

  function optionsOf({ body, tag, icon, image, data, timestamp, requireInteraction, actions }) {
    return { body, tag, icon, image, data, timestamp, requireInteraction, actions };
  }

  // Best effort: a report that is lost is not made again, and must never cost what it reports of.
  async function report(data, event, action) {
    const token = data?.receipt;
    if (typeof token !== "string") return;
    try {
      const { api } = (await stored("readonly", (store) => store.get(self.registration.scope))) ?? {};
      await fetch(new URL("api/receipts", api ?? new URL("/", self.location)), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token, event, action }),
        keepalive: true,
      });
    } catch {
      // The service cannot be reached.
    }
  }

  // Windows in sight are asked whether they show it themselves: their answers, each to come. What is in a frame of another's page is no window.
  async function tell({ ...notification }) {
    // The receipt is the worker's own.
    notification.data = { ...notification.data, receipt: undefined };
    const message = { type: "notify:push", notification };
    return (await windows()).map((client) => {
      const isInSight = client.visibilityState === "visible" && client.frameType !== "nested";
      return isInSight ? ask(client, message, answering.has(client.id) ? ANSWERS_AGAIN_WITHIN : ANSWERS_WITHIN) : client.postMessage(message);
    });
  }

  // Where a click leads: the action's own URL, else the notification's, else the application; http(s) alone.
  function target(data, action) {
    const scope = self.registration.scope;
    try {
      const url = new URL(data?.actions?.[action] ?? data?.navigate ?? scope, scope);
      if (/^https?:$/.test(url.protocol)) return url;
    } catch {
      // Not a URL: the application itself will do.
    }
    return new URL(scope);
  }

  async function open(url) {
    if (url.origin !== self.location.origin) return self.clients.openWindow(url.href);
    const [all, controlled] = await Promise.all([windows(), self.clients.matchAll({ type: "window" })]);
    // What is in a frame is no window of its own.
    const candidates = await Promise.all(all.filter((client) => client.frameType !== "nested" && new URL(client.url).origin === url.origin).map(async (client) => {
      // An application that routes by itself is no longer where it was loaded.
      return { client, at: await ask(client, { type: "notify:where" }) };
    }));
    const there = candidates.find(({ client, at }) => (at ?? client.url) === url.href);
    if (there) return there.client.focus();
    // One that neither answers nor is controlled cannot be led: another application's, say.
    const open = candidates.filter(({ client, at }) => at || controlled.some(({ id }) => id === client.id));
    const { client, at } = open.find(({ client }) => client.visibilityState === "visible") ?? open[0] ?? {};
    if (!client) return self.clients.openWindow(url.href);
    await client.focus().catch(() => {});
    // notify.js leads a window by the application's own router, and one that this worker does not control. One that was frozen answers now.
    const answers = at ?? (await ask(client, { type: "notify:where" }));
    const lead = () => client.postMessage({ type: "notify:navigate", url: url.href });
    return answers ? lead() : client.navigate(url.href).catch(lead);
  }

  // Much less than a browser lets pass between a click and the window that it leads to, or a push and its notification.
  const ANSWERS_WITHIN = 300;

  // Windows that have said whether they show what came: one that has much to do may take longer the next time, but less than others wait for it.
  const answering = new Set();
  const ANSWERS_AGAIN_WITHIN = 2000;

  // What notify.js in a window answers; undefined if it is not there.
  function ask(client, message, within = ANSWERS_WITHIN) {
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = ({ data }) => {
        if (typeof data === "boolean") answering.add(client.id);
        resolve(data);
      };
      setTimeout(resolve, within);
      client.postMessage(message, [port2]);
    }).finally(() => port1.close());
  }

  function windows() {
    return self.clients.matchAll({ type: "window", includeUncontrolled: true });
  }

  // The browser has dropped the push subscription. When the service cannot be told now, the settings keep the old
  // endpoint, and the next configure() or subscribe() of notify.js reports both.
  async function renew({ oldSubscription, newSubscription }) {
    const settings = await stored("readonly", (store) => store.get(self.registration.scope));
    // Unsubscribed for good, perhaps while this waited for its turn, or about to be; an application that does without notify.js sees to it by itself.
    if (!settings || (await stored("readonly", (store) => store.get(`ending ${self.registration.scope}`)))) return;
    const { api } = settings;
    const subscription = newSubscription ?? (await self.registration.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: await applicationServerKey(api),
    }));
    const headers = new Headers(settings.headers);
    headers.set("Content-Type", "application/json");
    const response = await fetch(new URL("api/subscriptions", api), {
      method: "POST",
      headers,
      body: JSON.stringify({ ...subscription.toJSON(), applicationServerKey: toBase64Url(subscription.options.applicationServerKey), replaces: oldSubscription?.endpoint ?? settings.endpoint }),
    });
    if (response.ok)
      await stored("readwrite", (store) => store.put({ ...settings, endpoint: subscription.endpoint }, self.registration.scope));
  }

  function toBase64Url(bytes) {
    return bytes && btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  async function applicationServerKey(api) {
    const response = await fetch(new URL("api/vapid-public-key", api));
    return (await response.json()).publicKey;
  }

  // The settings that notify.js keeps; see there.
  async function stored(mode, action) {
    const opening = indexedDB.open("notify.js", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("settings");
    const database = await finished(opening);
    try {
      return await finished(action(database.transaction("settings", mode).objectStore("settings")));
    } finally {
      database.close();
    }
  }

  function finished(request) {
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  function parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
  }
})();

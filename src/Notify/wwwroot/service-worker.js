// The service worker of Notify: a classic script. Copy it to your application's origin, or write one that says
//   importScripts("https://notify.example/service-worker.js");

// One function around all of it: the names of an application that imports this stay its own.
(() => {
  "use strict";

  const DEFAULT_TITLE = "New message";

  self.addEventListener("install", () => self.skipWaiting());
  self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
  self.addEventListener("push", (event) => event.waitUntil(receive(event.data)));
  self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(open(target(event.notification.data, event.action)));
  });
  // A listener makes some browsers report a dismissal to the worker; nothing follows from it here.
  self.addEventListener("notificationclose", () => {});
  self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));

  async function receive(data) {
    const notification = read(data);
    await Promise.all([show(notification), tell(notification)]);
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
    if (Array.isArray(source.actions))
      notification.actions = source.actions.filter((action) => typeof action?.action === "string" && typeof action?.title === "string");
    return notification;
  }

  function show(notification) {
    const { title, navigate, renotify, actions = [], ...rest } = notification;
    const options = {
      ...rest,
      // A push message may come twice: the second replaces the first.
      tag: rest.tag ?? rest.data.messageId ?? "",
      actions: actions.slice(0, self.Notification?.maxActions ?? 0).map(({ action, title, icon }) => ({ action, title, icon })),
      data: { ...rest.data, navigate, actions: Object.fromEntries(actions.map((action) => [action.action, action.navigate])) },
    };
    // Without a tag, renotify is a TypeError.
    if (renotify && options.tag) options.renotify = true;
    return self.registration.showNotification(title, options).catch(() =>
      // An option this browser refuses must not cost the notification.
      self.registration.showNotification(title, { body: options.body, tag: options.tag, data: options.data }));
  }

  async function tell(notification) {
    for (const client of await windows()) client.postMessage({ type: "notify:push", notification });
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
    const candidates = (await windows()).filter((client) => new URL(client.url).origin === url.origin);
    const there = candidates.find((client) => client.url === url.href);
    if (there) return there.focus();
    const client = candidates.find((candidate) => candidate.visibilityState === "visible") ?? candidates[0];
    if (!client) return self.clients.openWindow(url.href);
    await client.focus().catch(() => {});
    // A window that this worker does not control refuses; notify.js does it there.
    return client.navigate(url.href).catch(() => client.postMessage({ type: "notify:navigate", url: url.href }));
  }

  function windows() {
    return self.clients.matchAll({ type: "window", includeUncontrolled: true });
  }

  // The browser has dropped the push subscription. When the service cannot be told now, the settings keep the old
  // endpoint, and the next subscribe() of notify.js reports both.
  async function renew({ oldSubscription, newSubscription }) {
    const settings = (await stored("readonly", (store) => store.get(self.registration.scope))) ?? {};
    const api = settings.api ?? new URL("/", self.location).href;
    // Not with the old one's key: the service takes every registration to be made with the key it has now.
    const subscription = newSubscription ?? (await self.registration.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: await applicationServerKey(api),
    }));
    const response = await fetch(new URL("api/subscriptions", api), {
      method: "POST",
      headers: { "Content-Type": "application/json", ...settings.headers },
      body: JSON.stringify({ ...subscription.toJSON(), replaces: oldSubscription?.endpoint ?? settings.endpoint }),
    });
    if (response.ok)
      await stored("readwrite", (store) => store.put({ ...settings, api, endpoint: subscription.endpoint }, self.registration.scope));
  }

  async function applicationServerKey(api) {
    const response = await fetch(new URL("api/vapid-public-key", api));
    return (await response.json()).publicKey;
  }

  // The settings that notify.js keeps; see there.
  function stored(mode, action) {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open("notify", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("settings");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const request = action(opening.result.transaction("settings", mode).objectStore("settings"));
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
        request.transaction.oncomplete = () => opening.result.close();
      };
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

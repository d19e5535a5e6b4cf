/** Types of notify.js, the client module of Notify. */

/**
 * What the browser may lack. `homeScreen`: on iOS and iPadOS the site must first be added to the home screen.
 * `siteData`: cookies and site data are blocked for the site.
 */
export type Missing = "secureContext" | "serviceWorker" | "PushManager" | "Notification" | "homeScreen" | "siteData";

/**
 * Codes of this module; beside them come the `code`s of the service's problem details, such as `invalid_keys`,
 * `endpoint_not_allowed` and `too_many_subscriptions`, and `http_<status>` for an answer without one.
 */
export type ErrorCode =
  | "not_supported"
  | "permission_denied"
  | "permission_dismissed"
  | "service_worker_failed"
  | "push_service_unavailable"
  | "storage_blocked"
  | "headers_failed"
  | "unsubscribed"
  | "invalid_options"
  | "network_error"
  | (string & {});

export declare class NotifyError extends Error {
  constructor(code: ErrorCode, message: string, options?: { status?: number; cause?: unknown });
  readonly name: "NotifyError";
  readonly code: ErrorCode;
  /** The HTTP status, when the service answered. */
  readonly status?: number;
}

export type RequestHeaders = HeadersInit;

export interface Options {
  /** Base URL of the Notify service. Default: the origin this module came from. */
  api?: string | URL;
  /**
   * The application's own authorization, as headers or as a function called before each request.
   * Plain headers are also kept in IndexedDB, where the service worker finds them when it must renew a subscription
   * with no page open; a function's are not, and such a renewal is completed by the next `configure()` or `subscribe()`.
   * One that takes longer than 30 seconds has failed.
   */
  headers?: RequestHeaders | (() => RequestHeaders | Promise<RequestHeaders>);
  /** URL of the service worker on the application's own origin. Default: `/service-worker.js`. */
  serviceWorker?: string | URL;
  /** Scope of the service worker. Default: the folder of its URL. */
  scope?: string | URL;
}

export interface Support {
  supported: boolean;
  missing: Missing[];
}

export interface State extends Support {
  permission: NotificationPermission;
  /** The browser has a push subscription. */
  subscribed: boolean;
  /** ... and the service has taken it. When false with `subscribed` true, call `subscribe()`. */
  registered: boolean;
}

export interface Registered {
  /** The subscription's id at the service. */
  id: string;
  /** False when the service knew it already. */
  isNew: boolean;
}

export interface NotificationAction {
  action: string;
  title: string;
  icon?: string;
  navigate?: string;
}

/** A notification as it was shown. Unknown members of the payload are left out. */
export interface ShownNotification {
  title: string;
  body?: string;
  /** Where a click leads. */
  navigate?: string;
  tag?: string;
  icon?: string;
  image?: string;
  requireInteraction?: boolean;
  renotify?: boolean;
  silent?: boolean;
  /** Milliseconds since 1970-01-01T00:00Z. */
  timestamp?: number;
  actions?: NotificationAction[];
  /** The number for the application's icon. */
  badgeCount?: number;
  /** `publishedAt`: milliseconds since 1970-01-01T00:00Z. */
  data: { messageId?: string; conversationId?: string; publishedAt?: number; [name: string]: unknown };
}

/** Sets options for all later calls; each call may override them. Then reconciles, in the background. Call it on every page, once the user is signed in. */
export declare function configure(options: Options): void;

/** What this browser lacks, if anything, to receive push messages. */
export declare function isSupported(): Support;

/**
 * How things stand, without asking the user or the network anything.
 * @throws {NotifyError}
 */
export declare function state(options?: Options): Promise<State>;

/**
 * Subscribes this browser for the user whom the headers name. Idempotent. The first call must come from a user gesture,
 * since it asks for permission, and waits for the answer as long as that takes; no other call does. A subscription made with
 * another application server key is replaced.
 * @throws {NotifyError}
 */
export declare function subscribe(options?: Options): Promise<Registered>;

/**
 * Sets right what has changed since `subscribe()` was called in this browser: another user, another key of the service, another
 * endpoint, a service that has forgotten it, a permission that was taken back. Asks the user nothing, and does nothing (undefined) where
 * `subscribe()` was never called or `unsubscribe()` was. `configure()` calls it.
 * @throws {NotifyError}
 */
export declare function reconcile(options?: Options): Promise<Registered | undefined>;

/**
 * Ends the push subscription of this browser; true when there was one. When the service cannot be told, the browser
 * is unsubscribed all the same and the error is thrown. Notifications of Notify's that are shown are closed. If the page is left
 * meanwhile, the next `configure()` in this browser finishes it.
 * @throws {NotifyError}
 */
export declare function unsubscribe(options?: Options): Promise<boolean>;

/** Of a notification that has arrived. */
export interface ArrivalEvent {
  /**
   * Has the notification not shown, if this page is in sight (`document.visibilityState`) and no frame of another's; no effect once the handler has returned or awaited something.
   * Where the browser lets no site stay silent, as Safari, it is shown all the same, without a sound where it can. One that is not shown is not reported as displayed.
   */
  preventDefault(): void;
}

/** Calls the handler with each notification that arrives while this page is open. Returns a function that stops it. */
export declare function onMessage(handler: (notification: ShownNotification, event: ArrivalEvent) => void): () => void;

/**
 * Calls the handler with the URL to which a click on a notification leads, of this page's origin, in the window that it leads there: for an application that
 * routes by itself. Without a handler, or if it throws or rejects, the page at that URL is loaded, as it is where no window is open; a window that is at that URL is only focused.
 * Returns a function that stops it.
 */
export declare function onNavigate(handler: (url: URL) => void | Promise<void>): () => void;

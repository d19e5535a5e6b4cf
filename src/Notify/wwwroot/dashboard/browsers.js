import { $, bars, fill } from "./elements.js";
import { count } from "./format.js";

export function showBrowsers({ browsers }) {
  fill($("browsers"), ...bars((browsers ?? []).map(({ name, subscriptions }) => ({ name, value: subscriptions })), count));
  $("browsers-empty").textContent = browsers ? "There are none." : "Not counted yet.";
  $("browsers-empty").hidden = browsers?.length > 0;
}

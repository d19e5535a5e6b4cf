// Makes elements, and brings what is shown up to date without taking away what the reader has focused, selected or opened.

export const $ = (id) => document.getElementById(id);

/** An element with properties; `key` tells it from its siblings, `attributes` are those that are no properties. */
export function element(tag, { key, attributes = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (key !== undefined) made.dataset.key = key;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false && child !== ""));
  return made;
}

/** Makes these the children of a node; one that is there already, by its key or else its place, stays and is brought up to date. */
export function fill(parent, ...wanted) {
  const children = wanted.flat();
  const keys = new Set(children.map(keyOf).filter(Boolean));
  for (const child of [...parent.childNodes]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
  const keyed = new Map([...parent.childNodes].filter(keyOf).map((child) => [keyOf(child), child]));
  children.forEach((child, index) => {
    const want = typeof child === "string" ? document.createTextNode(child) : child;
    const there = parent.childNodes[index];
    const have = keyOf(want) ? keyed.get(keyOf(want)) : there;
    if (!have || have.nodeName !== want.nodeName || keyOf(have) !== keyOf(want)) parent.insertBefore(want, there ?? null);
    else {
      if (have !== there) parent.insertBefore(have, there);
      update(have, want);
    }
  });
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}

function update(have, want) {
  if (have.nodeType === Node.TEXT_NODE) {
    if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
    return;
  }
  // What is open is the reader's; the policy allows a style as a property alone.
  const skipped = ["open", "style"];
  for (const { name } of [...have.attributes]) if (!skipped.includes(name) && !want.hasAttribute(name)) have.removeAttribute(name);
  for (const { name, value } of want.attributes) if (!skipped.includes(name) && have.getAttribute(name) !== value) have.setAttribute(name, value);
  if (have.style.cssText !== want.style.cssText) have.style.cssText = want.style.cssText;
  fill(have, ...want.childNodes);
}

function keyOf(node) {
  return node.dataset?.key;
}

/** Rows of a table; a cell is text, a node or several, or `{ number }` to stand at the right. */
export function fillTable(table, columns, rows, empty) {
  const cells = (row) => row.cells.map((cell, index) => {
    const isNumber = cell?.number !== undefined;
    return element(index === 0 ? "th" : "td", {
      className: isNumber ? "number" : "", attributes: { "data-label": columns[index], ...(index === 0 && { scope: "row" }) },
    }, isNumber ? cell.number : cell);
  });
  fill(table.tBodies[0], ...rows.map((row) => element("tr", { key: row.key, className: row.mood ?? "" }, cells(row))));
  table.hidden = rows.length === 0;
  if (empty) empty.hidden = rows.length > 0;
}

/** Bars beside each other's names, as long as their numbers. */
export function bars(items, format) {
  const most = Math.max(...items.map(({ value }) => value), 1);
  return items.map(({ name, value, note, mood }) => {
    const bar = element("span", { className: "bar", attributes: { "aria-hidden": "true" } }, element("span", { className: mood ?? "" }));
    bar.firstChild.style.width = `${(100 * value) / most}%`;
    return element("li", { key: name }, element("span", { className: "name" }, name), bar, element("span", { className: "figure" }, format(value)), element("small", {}, note ?? ""));
  });
}

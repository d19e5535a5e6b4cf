// One plot over ten minutes, with its numbers in words above it.
import uPlot from "/vendor/uplot/uPlot.esm.js";
import { element, fill } from "./elements.js";
import { hour, time } from "./format.js";
import { withGaps } from "./past.js";

const SPAN = 600;
const HEIGHT = 180;
// Told apart without colour too; dashboard.css has the colours.
const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 7]];

export class Plot {
  #options;
  #figure = element("figure", { className: "card plot" });
  #when = element("span", { className: "when" });
  #legend = element("ul", { className: "legend" });
  #canvas = element("div", { className: "canvas", attributes: { "aria-hidden": "true" } });
  #plot;
  #lines = [];
  #points = [];
  #end = 0;

  /**
   * `points(past)` and `lines(past)` say what is drawn: each line has a name and the value of a point; `format` writes a value
   * out, `ticks` shortly at the axis; `isLog` for values of many sizes, none of them zero.
   */
  constructor(title, options) {
    this.#options = options;
    this.#figure.append(element("figcaption", {}, element("h2", {}, title), this.#when), this.#legend, this.#canvas);
  }

  /** Puts it into the page. */
  appendTo(parent) {
    parent.append(this.#figure);
    new ResizeObserver(() => this.#plot?.setSize({ width: this.#canvas.clientWidth, height: HEIGHT })).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot?.redraw(false));
  }

  show(past) {
    const lines = this.#options.lines(past);
    const isSame = lines.map(({ name }) => name).join() === this.#lines.map(({ name }) => name).join();
    this.#lines = lines;
    this.#points = withGaps(this.#options.points(past));
    this.#end = past.end / 1000;
    if (!this.#plot || !isSame) this.#draw();
    this.#plot.setData([this.#points.map(({ time: at }) => at / 1000), ...lines.map(({ value }) => this.#points.map((point) => value(point) ?? null))]);
    this.#write(this.#plot.cursor.idx);
  }

  #draw() {
    const { ticks, isLog } = this.#options;
    const colour = (name) => () => getComputedStyle(this.#figure).getPropertyValue(name);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    this.#plot?.destroy();
    this.#plot = new uPlot({
      width: this.#canvas.clientWidth || 300,
      height: HEIGHT,
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "dashboard", scales: ["x", null] }, points: { size: 6 } },
      scales: {
        x: { time: true, range: () => [this.#end - SPAN, this.#end] },
        y: isLog ? { distr: 3, range: decades } : { range: fromZero },
      },
      axes: [
        { ...axis, size: 26, space: 70, values: (_, splits) => splits.map((at) => hour(at * 1000)) },
        { ...axis, size: 58, space: 36, values: (_, splits) => splits.map((value) => (value === null ? "" : ticks(value))), ...(isLog && { filter: tens, grid: { ...axis.grid, filter: tens } }) },
      ],
      series: [{}, ...this.#lines.map((_, index) => ({ stroke: colour(`--line-${index}`), width: 1.75, dash: dashes[index], points: { show: false, filter: alone, size: 4, width: 0, fill: colour(`--line-${index}`) } }))],
      hooks: { setCursor: [({ cursor }) => this.#write(cursor.idx)] },
    }, undefined, this.#canvas);
  }

  #write(index) {
    const point = this.#points[index ?? -1] ?? this.#points.at(-1);
    this.#when.textContent = index === null || index === undefined || !point ? "" : time(point.time);
    fill(this.#legend, ...this.#lines.map(({ name, value }, place) => {
      const number = point && value(point);
      return element("li", {}, swatch(place), element("span", {}, name), element("b", {}, number === undefined || number === null ? "–" : this.#options.format(number)));
    }));
  }
}

// A piece of the line, as it is drawn.
function swatch(place) {
  const name = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const [picture, stroke] = [name("svg"), name("line")];
  for (const [node, attributes] of [
    [picture, { class: `swatch line-${place}`, width: 26, height: 4, "aria-hidden": "true" }],
    [stroke, { x1: 0, x2: 26, y1: 2, y2: 2, "stroke-dasharray": dashes[place].join(" ") || "none" }],
  ]) for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  picture.append(stroke);
  return picture;
}

// What stands alone between gaps has no line, and would not be seen.
function alone(plot, series) {
  const values = plot.data[series];
  return [...values.keys()].filter((at) => isNumber(values[at]) && !isNumber(values[at - 1]) && !isNumber(values[at + 1]));
}

function isNumber(value) {
  return value !== null && value !== undefined;
}

function fromZero(_, __, most) {
  return [0, most > 0 ? most * 1.1 : 4];
}

function decades(_, least, most) {
  const floor = Math.floor(Math.log10(least ?? 0.01));
  return [10 ** floor, 10 ** Math.max(Math.ceil(Math.log10(most ?? 1)), floor + 1)];
}

function tens(_, splits) {
  return splits.map((value) => (Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6 ? value : null));
}

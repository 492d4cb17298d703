/* Parts of the status page: numbers as text, and small plots of the last five minutes.

   Memory is bounded: the last KEPT samples of each series. Plots are SVG, so that the style sheet sets their
   colours and sizes, and no change of either needs a new drawing. */
"use strict";

const SPAN_S = 300; // shown in a plot
const KEPT = 400; // samples: one a second, and one more for each connection to the feed
const GAP_S = 3.5; // without samples for this long, the line is interrupted
const [WIDTH, HEIGHT] = [300, 60]; // of the drawing in SVG units; the style sheet stretches it
const UNKNOWN = "–";

// --- numbers

// Made once: toLocaleString makes one for each number, which costs more than all the rest of a row.
const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const THREE = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

function count(number) {
  return Number.isFinite(number) ? WHOLE.format(number) : UNKNOWN;
}

// Below 100 with three significant digits: 0.333, 12.5; above as a whole number.
function number(value) {
  return (Math.abs(value) < 100 ? THREE : WHOLE).format(value);
}

function perSecond(value) {
  return Number.isFinite(value) ? `${number(value)}/s` : UNKNOWN;
}

function bytes(value) {
  if (!Number.isFinite(value)) return UNKNOWN;
  const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value * 1.0005) / 3), 5); // 999.9 kB is 1 MB
  return `${THREE.format(value / 1000 ** power)} ${["B", "kB", "MB", "GB", "TB", "PB"][power]}`;
}

function bytesPerSecond(value) {
  return Number.isFinite(value) ? `${bytes(value < 1000 ? Math.round(value) : value)}/s` : UNKNOWN;
}

function milliseconds(seconds) {
  return Number.isFinite(seconds) ? `${number(seconds * 1000)} ms` : UNKNOWN;
}

function duration(seconds) {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

// --- the document

const ui = {}; // all elements with an id, by id
for (const element of document.querySelectorAll("[id]")) ui[element.id] = element;

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children); // strings become text nodes
  return element;
}

// Sets the text, if it differs.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The same, except for elements in the selection: a new text would remove it.
function put(element, text) {
  if (element.textContent !== text && !isSelected(element)) element.textContent = text;
}

// The selection at the last look. To ask for it for each element would cause a layout each time: seconds, for the list.
let selected = null;

function lookAtSelection() {
  const selection = getSelection();
  selected = selection.isCollapsed ? null : selection.getRangeAt(0);
  return selected;
}

function isSelected(element) {
  return selected !== null && selected.intersectsNode(element);
}

// --- samples

class Samples {
  constructor(names) {
    this.at = new Float64Array(KEPT); // the daemon's time, in seconds
    this.series = Object.fromEntries(names.map((name) => [name, new Float64Array(KEPT)]));
    this.count = 0; // samples ever; sample i is kept at i % KEPT
  }

  // Unknown values are NaN.
  add(at, values) {
    const slot = this.count % KEPT;
    this.at[slot] = at;
    for (const [name, kept] of Object.entries(this.series)) kept[slot] = values[name] ?? NaN;
    this.count += 1;
  }

  // Returns the lines to draw: for each stretch without a gap its points, [seconds since the left edge, value].
  stretches(name) {
    const [values, lines] = [this.series[name], []];
    const left = this.at[(this.count - 1) % KEPT] - SPAN_S;
    let before = NaN;
    for (let i = Math.max(0, this.count - KEPT); i < this.count; i += 1) {
      const [at, value] = [this.at[i % KEPT] - left, values[i % KEPT]];
      if (at < 0 || at > SPAN_S || Number.isNaN(value)) continue; // the daemon's clock may have been set back
      const step = at - before;
      if (step >= 0 && step <= GAP_S) lines.at(-1).push([at, value]);
      else lines.push([[at, value]]);
      before = at;
    }
    return lines;
  }

  highest(name) {
    return this.stretches(name).flat().reduce((most, [, value]) => Math.max(most, value), 0);
  }
}

// --- plots

class Plot {
  // `names`: of one or two series; `format`: function from a value to a text.
  constructor(figure, samples, names, format) {
    Object.assign(this, { samples, names, format });
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.area = shape("path", { class: "area" });
    this.lines = names.map((_, index) => shape("path", { class: index === 0 ? "line first" : "line second" }));
    svg.append(shape("path", { class: "grid", d: [1, HEIGHT / 2, HEIGHT - 1].map((y) => `M0 ${y}h${WIDTH}`).join("") }),
      this.area, ...this.lines);
    this.svg = svg;
    this.scale = make("figcaption", "quiet");
    this.scale.setAttribute("aria-hidden", "true"); // the label of the drawing includes it
    figure.append(svg, this.scale);
  }

  draw() {
    const all = this.names.map((name) => this.samples.stretches(name));
    const highest = all.flat(2).reduce((most, [, value]) => Math.max(most, value), 0);
    const top = niceTop(highest);
    const point = ([at, value]) => `${at.toFixed(1)} ${(HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(2)}`;
    all.forEach((stretches, index) => {
      // A single point becomes a line of no length, which its round ends make a dot.
      const path = stretches.map((points) => `M${points.map(point).join("L")}${points.length === 1 ? "h0" : ""}`);
      this.lines[index].setAttribute("d", path.join(""));
    });
    this.area.setAttribute("d", all[0].map((points) => (
      `M${points[0][0].toFixed(1)} ${HEIGHT}L${points.map(point).join("L")}V${HEIGHT}Z`)).join(""));
    put(this.scale, this.format(top));
    this.svg.setAttribute("aria-label", `The last 5 minutes; the highest was ${this.format(highest)}`);
  }
}

function shape(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Returns the next of 1, 2, 3, 4, 5, 6, 8, 10, 20, 30 ... at or above the highest value; 1 if all are 0.
function niceTop(highest) {
  if (!(highest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= highest) ?? highest;
}

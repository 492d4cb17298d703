/* The lab's plot of round-trip times, and its log of messages.

   A message counts as a reply if it equals a sent message in type, size and content; of equal messages, the oldest is
   matched. So neither the messages of a ticker nor altered replies give wrong times. Memory is bounded: the last KEPT
   points, WAITING messages without a reply, MAX_LINES lines, each of bounded length. */
"use strict";

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children); // strings become text nodes
  return element;
}

// Made once: toLocaleString makes a new one for every number, which is the largest cost of a line in the log.
const NUMBERS_WITH = [0, 1, 2].map((digits) => new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }));
const TENTHS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

function show(number, digits = 0) {
  return NUMBERS_WITH[digits].format(number);
}

// --- round-trip times

const KEPT = 5000;
const WAITING = 10000;
const SAMPLE = 128; // of longer messages, only so much at either end is compared
const DOTS = 400; // more points are drawn as one bar for each column of pixels

class RoundTrips {
  constructor(canvas, figures) {
    this.canvas = canvas;
    this.figures = figures;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.at = new Float64Array(KEPT); // when the reply arrived
    this.took = new Float64Array(KEPT);
    this.count = 0; // points so far; point i is at i % KEPT
    this.forget();
    this.changed = true;
  }

  // Messages sent on a closed connection get no reply.
  forget() {
    this.waiting = new Map(); // key -> the times of sending, oldest first
    this.size = 0;
  }

  sent(data, at) {
    const key = keyOf(data);
    const times = this.waiting.get(key);
    if (times) times.push(at);
    else this.waiting.set(key, [at]);
    this.size += 1;
    if (this.size > WAITING) this.take(this.waiting.keys().next().value);
  }

  // Returns the round-trip time, or undefined if this is no reply.
  received(data, at) {
    if (this.size === 0) return undefined;
    const sentAt = this.take(keyOf(data));
    if (sentAt === undefined) return undefined;
    this.at[this.count % KEPT] = at;
    this.took[this.count % KEPT] = at - sentAt;
    this.count += 1;
    this.changed = true;
    return at - sentAt;
  }

  take(key) {
    const times = this.waiting.get(key);
    if (!times) return undefined;
    this.size -= 1;
    if (times.length === 1) this.waiting.delete(key);
    return times.shift();
  }

  // Updates figures and plot if there is anything new.
  paint() {
    if (!this.changed) return;
    this.changed = false;
    const kept = Math.min(this.count, KEPT);
    const sorted = this.took.slice(0, kept).sort();
    const middle = (sorted[(kept - 1) >> 1] + sorted[kept >> 1]) / 2;
    const which = this.count > KEPT ? `the last ${show(KEPT)} of ` : "";
    this.figures.textContent = kept === 0 ? "none yet"
      : `min ${ms(sorted[0])} · median ${ms(middle)} · max ${ms(sorted[kept - 1])} · ${which}`
        + `${show(this.count)} ${this.count === 1 ? "reply" : "replies"}`;
    this.top = niceTop(kept > 0 ? sorted[kept - 1] : 0);
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(width * scale); // this also clears it
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    if (!pen || width === 0) return;
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    pen.font = `11px ${style.fontFamily}`;
    pen.fillStyle = colour("--quiet");
    pen.strokeStyle = colour("--rule");
    const top = this.top || 1;
    const left = 10 + Math.max(...[0, top / 2, top].map((value) => pen.measureText(ms(value)).width));
    const area = { left, right: width - 8, top: 10, bottom: height - 20 };
    const y = (took) => area.bottom - (took / top) * (area.bottom - area.top);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const value of [0, top / 2, top]) {
      pen.fillText(ms(value), area.left - 6, y(value));
      pen.beginPath();
      pen.moveTo(area.left, Math.round(y(value)) + 0.5);
      pen.lineTo(area.right, Math.round(y(value)) + 0.5);
      pen.stroke();
    }
    if (this.count > 0) this.drawPoints(pen, area, y, colour("--accent"));
  }

  drawPoints(pen, area, y, accent) {
    const first = Math.max(0, this.count - KEPT);
    const start = this.at[first % KEPT];
    const span = this.at[(this.count - 1) % KEPT] - start;
    const x = (at) => (span > 0 ? area.left + 4 + ((at - start) / span) * (area.right - area.left - 8)
      : (area.left + area.right) / 2);
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.fillText(seconds(start), area.left, area.bottom + 16);
    pen.textAlign = "right";
    if (span > 0) pen.fillText(`${seconds(start + span)} after opening`, area.right, area.bottom + 16);
    pen.fillStyle = accent;
    pen.beginPath();
    if (this.count - first <= DOTS) {
      for (let i = first; i < this.count; i += 1) {
        const [cx, cy] = [x(this.at[i % KEPT]), y(this.took[i % KEPT])];
        pen.moveTo(cx, cy);
        pen.arc(cx, cy, 2.25, 0, 2 * Math.PI);
      }
      return pen.fill();
    }
    const columns = new Map(); // column of pixels -> [lowest, highest]
    for (let i = first; i < this.count; i += 1) {
      const column = Math.round(x(this.at[i % KEPT]));
      const took = this.took[i % KEPT];
      const range = columns.get(column);
      if (!range) columns.set(column, [took, took]);
      else if (took < range[0]) range[0] = took;
      else if (took > range[1]) range[1] = took;
    }
    for (const [column, [low, high]] of columns) pen.fillRect(column, y(high) - 1, 1, y(low) - y(high) + 2);
    return undefined;
  }
}

function keyOf(data) {
  if (typeof data === "string") {
    if (data.length <= 2 * SAMPLE) return `t${data}`;
    return `t${data.length}:${data.slice(0, SAMPLE)}${data.slice(-SAMPLE)}`;
  }
  const bytes = new Uint8Array(data);
  if (bytes.length <= 2 * SAMPLE) return `b${bytes}`;
  return `b${bytes.length}:${bytes.subarray(0, SAMPLE)},${bytes.subarray(-SAMPLE)}`;
}

function ms(value) {
  return `${show(value, value === 0 || value >= 100 ? 0 : value >= 1 ? 1 : 2)} ms`;
}

function seconds(value) {
  return `${show(value / 1000, 1)} s`;
}

// The smallest of 1, 2, 3, 5, 10, 20, 30 ... that is not below the highest point.
function niceTop(highest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 0.1)));
  return [1, 2, 3, 5, 10].map((step) => step * power).find((step) => step >= highest);
}

// --- the log

const MAX_LINES = 500;
const MAX_TEXT_BYTES = 1000; // of a longer text, only so much is shown
const MAX_HEX_BYTES = 64;
const SIGNS = { sent: "↑", received: "↓", note: "•" };
const encoder = new TextEncoder();

// Lines are added to the document once for each animation frame, so that a flood costs one layout instead of thousands.
class Log {
  constructor(list, more, figures, alsoPaint) {
    Object.assign(this, { list, more, figures, alsoPaint, painting: 0, atEnd: true });
    more.addEventListener("click", () => this.scrollToEnd());
    list.addEventListener("scroll", () => this.watchScroll(), { passive: true });
    this.clear();
  }

  clear() {
    this.lines = 0; // so far
    this.totals = { sent: { messages: 0, bytes: 0 }, received: { messages: 0, bytes: 0 } };
    this.fresh = []; // lines not yet in the document
    this.list.replaceChildren();
    this.paintSoon();
  }

  note(at, ...body) {
    this.add({ way: "note", at, body });
  }

  message(way, data, at, took) {
    const text = typeof data === "string";
    const bytes = text ? encoder.encode(data) : new Uint8Array(data);
    this.totals[way].messages += 1;
    this.totals[way].bytes += bytes.length;
    this.add({ way, at, took, kind: text ? "text" : "binary", length: bytes.length, body: [preview(bytes, text)] });
  }

  add(line) {
    this.fresh.push(line);
    if (this.fresh.length > 2 * MAX_LINES) this.fresh = this.fresh.slice(-MAX_LINES);
    this.lines += 1;
    this.paintSoon();
  }

  paintSoon() {
    this.painting ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.painting = 0;
    this.list.append(...this.fresh.slice(-MAX_LINES).map(row));
    if (this.fresh.length > 0 && !this.atEnd) this.more.hidden = false;
    this.fresh = [];
    while (this.list.childElementCount > MAX_LINES) this.list.firstElementChild.remove();
    if (this.atEnd) this.scrollToEnd();
    const [up, down] = Object.values(this.totals)
      .map(({ messages, bytes }) => `${show(messages)} (${size(bytes)})`);
    const cut = this.lines > MAX_LINES ? ` · shown: the last ${MAX_LINES} lines` : "";
    this.figures.textContent = `sent ${up} · received ${down}${cut}`;
    this.alsoPaint();
  }

  scrollToEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    if (document.activeElement === this.more) this.list.focus(); // the focus must not stay on a hidden button
    this.more.hidden = true;
  }

  watchScroll() {
    this.atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    if (this.atEnd && !this.more.hidden) this.scrollToEnd();
  }
}

function row({ way, at, took, kind, length, body }) {
  const sign = make("span", "sign", SIGNS[way]);
  sign.setAttribute("aria-hidden", "true");
  const line = make("div", `entry ${way}`, make("span", "at", at === undefined ? "" : `${TENTHS.format(at)} ms`), sign);
  if (kind) {
    line.append(make("span", "what", make("span", "spoken", `${way} `), `${kind}, ${size(length)}`),
      make("span", "took", took === undefined ? "" : `RTT ${ms(took)}`));
  }
  const text = make("bdi", "body", ...body);
  text.dir = "auto"; // a right-to-left text starts at the right
  line.append(text);
  return line;
}

function size(bytes) {
  return `${show(bytes)} ${bytes === 1 ? "byte" : "bytes"}`;
}

// Copies the beginning: a slice of a string would keep the whole string in memory.
function preview(bytes, text) {
  const limit = text ? MAX_TEXT_BYTES : MAX_HEX_BYTES;
  const head = bytes.subarray(0, limit);
  const cut = bytes.length > limit ? " …" : "";
  if (!text) return Array.from(head, (byte) => byte.toString(16).padStart(2, "0")).join(" ") + cut;
  const shown = new TextDecoder("utf-8", { ignoreBOM: true }).decode(head, { stream: true }); // no half characters
  return shown.replace(/[\0-\x1f]/g, (control) => JSON.stringify(control).slice(1, -1)) + cut; // as \n or \u001b
}

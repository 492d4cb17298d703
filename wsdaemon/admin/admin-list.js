/* List of connections: sorted, filtered, and steady while it is read.

   Peers choose their targets and more: all of it becomes text nodes, never markup. */
"use strict";

const MAX_TEXT = 300; // characters of a text that peers choose
const COLUMNS = [
  { key: "number", name: "No.", show: String, descending: true },
  { key: "peer", name: "Peer" },
  { key: "subprotocol", name: "Subprotocol" },
  { key: "target", name: "Target" },
  { key: "state", name: "State" },
  { key: "age", name: "Age", show: duration, descending: true },
  { key: "rateIn", name: "In/s", show: bytesPerSecond, descending: true, moving: true },
  { key: "rateOut", name: "Out/s", show: bytesPerSecond, descending: true, moving: true },
  { key: "bytes_in", name: "In", show: bytes, descending: true, moving: true },
  { key: "bytes_out", name: "Out", show: bytes, descending: true, moving: true },
  { key: "waits", name: "Waiting", show: bytes, descending: true, moving: true },
];

let sorted = { column: COLUMNS[0], descending: true };
const rows = new Map(); // number -> row, of the connections that are listed

function paintList() {
  const words = ui.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = now.list.map((each) => ({ ...each, ...traffic.get(each.number) }));
  const found = all.filter((each) => {
    const text = [each.number, each.peer, each.subprotocol, each.target, each.state].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  found.sort(inOrder);
  const there = new Set(all.map(({ number }) => number));
  for (const [number, row] of rows) {
    if (there.has(number)) continue;
    if (row.isConnected && isSelected(row)) row.classList.add("gone");
    else rows.delete(number);
  }
  const shown = found.map(rowOf);
  const kept = anchor(shown);
  arrange(ui.rows, shown);
  kept();
  const { open } = now.connections;
  const newest = open > all.length ? `the newest ${count(all.length)} of ${count(open)}` : `${count(open)} open`;
  put(ui.shown, words.length > 0 ? `${count(found.length)} found; ${newest}` : newest);
  put(ui.none, all.length > 0 ? "No connection contains all of these words." : "No connections.");
  ui.none.hidden = found.length > 0;
}

function inOrder(one, other) {
  const { column: { key }, descending } = sorted;
  const [a, b] = [one[key], other[key]];
  const [hasA, hasB] = [a, b].map((value) => typeof value === "string" || Number.isFinite(value));
  if (hasA !== hasB) return hasA ? -1 : 1; // unknown values come last in both orders
  const difference = !hasA || a === b ? 0 : a < b ? -1 : 1;
  return (descending ? -difference : difference) || other.number - one.number;
}

function rowOf(connection) {
  let row = rows.get(connection.number);
  if (!row) {
    row = make("tr", "", ...COLUMNS.map(({ key, name, show }) => {
      const cell = make("td", show ? "figure" : "words");
      cell.dataset.key = key;
      cell.dataset.name = name;
      cell.setAttribute("role", "cell");
      cell.append(make("bdi", ""));
      return cell;
    }));
    row.setAttribute("role", "row");
    rows.set(connection.number, row);
  }
  row.classList.toggle("closing", connection.state !== "open");
  COLUMNS.forEach(({ key, show }, index) => {
    const value = connection[key];
    const cell = row.children[index];
    cell.classList.toggle("zero", !value);
    if (show) return put(cell.firstChild, show(value ?? NaN));
    const text = value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
    if (cell.title !== text) cell.title = text; // shows what does not fit in the cell
    return put(cell.firstChild, text);
  });
  return row;
}

// Keeps the rows in view in place while others are added and removed above them, unless the list is sorted by values
// that change every second: then one watches a place, such as the top. Returns the function to call after the change.
function anchor(shown) {
  const box = ui.scroller;
  const from = box.scrollTop;
  const held = () => { if (box.scrollTop !== from) box.scrollTop = from; };
  if (from === 0 || sorted.column.moving) return held;
  const stays = new Set(shown);
  const top = from + ui.columns.offsetHeight;
  const first = Array.from(ui.rows.children).find((row) => stays.has(row) && row.offsetTop + row.offsetHeight > top);
  if (!first) return held;
  const offset = first.offsetTop - from;
  return () => { if (first.offsetTop - box.scrollTop !== offset) box.scrollTop = first.offsetTop - offset; };
}

function sortBy(column, descending) {
  sorted = { column, descending };
  for (const [index, head] of Array.from(ui.columns.children).entries()) {
    if (COLUMNS[index] === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  ui.sort.value = column.key;
  put(ui.order, descending ? "Descending" : "Ascending");
  paintSoon();
}

function startList() {
  ui.columns.append(...COLUMNS.map((column) => {
    const button = make("button", "", column.name);
    button.type = "button";
    const head = make("th", column.show ? "figure" : "words", button);
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    head.dataset.key = column.key;
    button.addEventListener("click", () => {
      const again = sorted.column === column;
      sortBy(column, again ? !sorted.descending : Boolean(column.descending));
    });
    return head;
  }));
  ui.sort.append(...COLUMNS.map(({ key, name }) => new Option(name, key)));
  ui.sort.addEventListener("change", () => {
    const column = COLUMNS.find(({ key }) => key === ui.sort.value);
    sortBy(column, Boolean(column.descending));
  });
  ui.order.addEventListener("click", () => sortBy(sorted.column, !sorted.descending));
  ui.filter.addEventListener("input", paintSoon);
  ui.filter.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !ui.filter.value) return; // some browsers do this by themselves
    ui.filter.value = "";
    paintSoon();
  });
  sortBy(COLUMNS[0], true);
}

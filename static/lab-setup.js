/* The lab's set-up: the fields for a behaviour's parameters, its address, and the link that restores it all.

   The behaviours, their parameters and descriptions all come from behaviours.json; this script knows none of them.

   The page's fragment holds the set-up, so that a link restores it: the path and query of the WebSocket address,
   preceded by the offered subprotocols, if any:

     #/close?code=1013&after=500             #mqtt,foo/close?code=1013&after=500

   A subprotocol's name contains no "/" or ",", so the first "/" ends the list. All other special characters are
   percent-encoded, so that programs find the whole link in a text. A link never connects by itself. */
"use strict";

const NUMBERS = new Set(["number", "milliseconds"]);
const SWITCHES = { "": "yes", yes: "yes", true: "yes", on: "yes", 1: "yes", no: "no", false: "no", off: "no", 0: "no" };

const ui = {}; // every element that has an id, by id
for (const element of document.querySelectorAll("[id]")) ui[element.id] = element;

let lab; // behaviours.json
let behaviour; // the chosen one
let fields = new Map(); // its parameters: name -> { parameter, group, input, empty, box, error }

function listBehaviours() {
  for (const [family, line] of Object.entries(lab.families)) {
    const group = make("optgroup", "");
    group.label = line ? `${family}: ${line}` : family;
    for (const each of lab.behaviours.filter((one) => one.family === family)) {
      const option = make("option", "", each.enabled ? each.name : `${each.name} (disabled on this server)`);
      option.value = each.name;
      option.disabled = !each.enabled;
      group.append(option);
    }
    ui.behaviour.append(group);
  }
}

// Text with `code` in it.
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", "", part) : part));
}

// Shows the fields of a behaviour. Its main group is unfolded, and so are groups in which the link sets something.
// Values of groups that both behaviours have are kept, unless `given` has the values to set. Returns what could not be
// set.
function choose(name, given) {
  const kept = given ?? new Map([...chosen()].filter(([key]) => fields.get(key).group));
  behaviour = lab.behaviours.find((each) => each.name === name);
  ui.behaviour.value = name;
  ui.summary.replaceChildren(...prose(behaviour.summary));
  const example = make("a", "", make("code", "", behaviour.example));
  example.href = `#${behaviour.example}`;
  const by = behaviour.subprotocols.join(", ");
  const rfc = behaviour.rfc && `${behaviour.rfc}. `;
  ui.about.replaceChildren(rfc, "Example: ", example, by && `. As a subprotocol: ${by}`);
  fields = new Map();
  ui.own.replaceChildren(...behaviour.parameters.map((parameter) => field(parameter, "")));
  ui.own.hidden = behaviour.parameters.length === 0;
  ui.groups.replaceChildren(...behaviour.groups.filter((group) => lab.groups[group]).map((group) => {
    const { summary, parameters } = lab.groups[group];
    const count = make("span", "count");
    const inner = parameters.map((parameter) => field(parameter, group));
    const details = make("details", "", make("summary", "", make("b", "", group), " ", ...prose(summary), " ", count),
      make("div", "fields", ...inner));
    details.dataset.group = group;
    const main = group === behaviour.family && behaviour.parameters.length === 0;
    details.open = main || Boolean(given) && parameters.some((parameter) => given.has(parameter.name));
    return details;
  }));
  const lost = [...kept].filter(([key, value]) => !fields.has(key) || !fill(fields.get(key), value));
  changed();
  return lost.map(([key, value]) => `${key}=${value}`);
}

function field(parameter, group) {
  const input = inputFor(parameter);
  input.id = `parameter-${parameter.name}`;
  input.setAttribute("aria-describedby", `${input.id}-hint ${input.id}-error`);
  const label = make("label", "", parameter.name);
  label.htmlFor = input.id;
  const hint = make("p", "quiet small", ...prose(parameter.why));
  hint.id = `${input.id}-hint`;
  if (input.tagName !== "SELECT") hint.append(" ", make("i", "", `Write ${parameter.what}.`)); // a list has them
  if (parameter.rfc) hint.append(` ${parameter.rfc}.`);
  const error = make("p", "error");
  error.id = `${input.id}-error`;
  const box = make("div", "field", label, input, hint, error);
  const empty = emptyFor(parameter, input, hint);
  fields.set(parameter.name, { parameter, group, input, empty, box, error });
  return box;
}

// A text without a default can be given and empty, which is not the same as leaving it out.
function emptyFor({ kind, default: usual }, input, hint) {
  if (usual !== null || input.tagName === "SELECT" || NUMBERS.has(kind)) return null;
  const box = make("input", "");
  box.type = "checkbox";
  input.after(make("label", "empty", box, " given, but empty"));
  box.setAttribute("aria-describedby", hint.id);
  return box;
}

// An empty field means that the parameter is not in the address. That differs from giving the default value: a server
// may act on a parameter because it is given.
function inputFor({ kind, choices, example, default: usual }) {
  if (kind === "choice" || kind === "switch") {
    const unset = new Option(usual ? `default: ${usual}` : "default", "");
    return make("select", "", unset, ...(choices ?? ["yes", "no"]).map((choice) => new Option(choice, choice)));
  }
  const input = make("input", "");
  input.type = "text";
  input.placeholder = usual || (example ? `such as ${example}` : "");
  if (NUMBERS.has(kind)) input.inputMode = "numeric";
  input.spellcheck = false;
  input.autocapitalize = "off";
  return input;
}

// Sets a field; false if it cannot hold the value.
function fill({ parameter, input, empty }, value) {
  const wanted = parameter.kind === "switch" ? SWITCHES[value.toLowerCase()] ?? "" : value;
  input.value = wanted;
  if (empty) empty.checked = wanted === "";
  return input.value === wanted && (wanted !== "" || Boolean(empty));
}

// The parameters that are set: name -> value.
function chosen() {
  const set = [...fields].filter(([, { input, empty }]) => input.value !== "" || empty?.checked);
  return new Map(set.map(([name, { input }]) => [name, input.value]));
}

// The error of a value, as far as the page knows; the server checks everything.
function wrong({ parameter, input }) {
  if (!NUMBERS.has(parameter.kind) || ["", parameter.default].includes(input.value)) return "";
  const number = Number(input.value);
  const outside = number < (parameter.low ?? -Infinity) || number > (parameter.high ?? Infinity);
  return outside ? `Out of range: write ${parameter.what}.` : "";
}

function offered() {
  return ui.subprotocols.value.split(",").map((name) => name.trim()).filter(Boolean);
}

function query() {
  const parts = Array.from(chosen(), ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return parts.length > 0 ? `?${parts.join("&")}` : "";
}

// The WebSocket address, relative to this page: a proxy may serve both below a prefix.
function address() {
  const url = new URL(`.${behaviour.path}`, location.href);
  return `${url.protocol.replace("http", "ws")}//${url.host}${url.pathname}${query()}`;
}

function link() {
  return `#${offered().map(encodeURIComponent).join(",")}${behaviour.path}${query()}`;
}

// Called after every change of the set-up: updates address, link, counts and errors.
function changed() {
  ui.url.textContent = address();
  try {
    history.replaceState(null, "", link());
  } catch { /* some browsers limit how often; "Copy link" works all the same */ }
  ui.reset.href = `#${offered().map(encodeURIComponent).join(",")}${behaviour.path}`;
  const set = chosen();
  for (const [name, each] of fields) {
    each.error.textContent = wrong(each);
    each.input.setAttribute("aria-invalid", String(Boolean(wrong(each))));
    each.box.classList.toggle("set", set.has(name));
  }
  for (const details of ui.groups.children) {
    const count = details.querySelectorAll(".set").length;
    details.querySelector(".count").textContent = count > 0 ? `${count} set` : "";
  }
}

// Restores the set-up from the page's fragment; names what this server does not know.
function restore() {
  const [, names, path, search] = /^#?([^/?]*)([^?]*)\??(.*)$/s.exec(location.hash);
  const found = lab.behaviours.find((each) => each.path === path && each.enabled);
  const values = new Map(new URLSearchParams(search));
  try {
    ui.subprotocols.value = names.split(",").map(decodeURIComponent).join(", ");
  } catch {
    ui.subprotocols.value = names; // not percent-encoded
  }
  const lost = choose((found ?? lab.behaviours.find((each) => each.enabled)).name, values);
  ui.linkNote.textContent = !found && path ? `The link asks for ${path}, which this server does not have.`
    : lost.length > 0 ? `Left out of the link, because ${path} does not know it: ${lost.join(", ")}` : "";
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or a page over plain http, which has no clipboard
    const area = make("textarea", "spoken", text);
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    if (!done) return void (ui.copied.textContent = "This page cannot copy.");
  }
  ui.copied.textContent = `${what} copied`;
  setTimeout(() => { ui.copied.textContent = ""; }, 3000);
  return undefined;
}

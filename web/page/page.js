// The page: files in, verdicts out. What judges is the engine, a Go program in a worker; here
// stands only what is shown. Text from files goes into the page as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);

// el makes an element with properties and children.
function el(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((c) => c !== undefined && c !== null));
  return made;
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// ---- the engine

let worker, calls, last = 0;

const stopped = "stopped before there was a verdict";

// startEngine runs the engine, a new one where one has ended, and says why of calls that it leaves.
// Calls made before it is ready wait.
function startEngine(why = stopped) {
  worker?.terminate();
  calls?.forEach(({ reject }) => reject(new Error(why)));
  calls = new Map();
  const text = new Blob([enginePack.exec, "\n", enginePack.worker], { type: "text/javascript" });
  const address = URL.createObjectURL(text);
  worker = new Worker(address);
  worker.onmessage = ({ data }) => {
    URL.revokeObjectURL(address);
    data.id ? settle(data) : engineSays(data);
  };
  worker.onerror = (event) => notify(`the engine does not start: ${event.message}`);
  worker.postMessage({ wasm: bytesOf(enginePack.wasm) });
}

// engineSays takes what is no answer to a call: the engine is ready, cannot start, or has ended.
function engineSays({ value, error, ended }) {
  if (error) return notify(`the engine does not start: ${error}`);
  if (ended) return startEngine(ended);
  $("version").textContent = value;
}

function settle({ id, value, error }) {
  const { resolve, reject } = calls.get(id);
  calls.delete(id);
  return error === undefined ? resolve(value) : reject(new Error(error));
}

function call(name, ...args) {
  return new Promise((resolve, reject) => {
    calls.set(++last, { resolve, reject });
    worker.postMessage({ id: last, call: name, args });
  });
}

function notify(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// ---- verify

// An item is one recording: its name, where its bytes come from, and what is said of it, as JSON.
let items = [];
let running = false;

const largest = 2 ** 30; // bytes; the memory of WebAssembly ends at 2^32

const extension = ".safetensors";

function add(sources) {
  notify(sources.length ? "" : `no ${extension} file among them`);
  for (const { name, size, bytes } of sources) {
    const item = { name, size, bytes, row: el("li") };
    items.push(item);
    $("list").append(item.row);
    show(item);
  }
  run();
}

function limit(id) {
  const n = Number($(id).value);
  return n >= 0 ? n : NaN;
}

// run judges what waits, one after the other, and writes the report after the last.
async function run() {
  if (running) return;
  const work = limit("work"), diagnosis = limit("diagnosis");
  if (!(work > 0) || !(diagnosis >= 0)) return notify("the limits are numbers of products, such as 1e11");
  running = true;
  $("stop").hidden = $("actions").hidden = false;
  const waits = () => items.find((i) => !i.report);
  try {
    do {
      for (let item; (item = waits()); ) await judge(item, work, diagnosis);
      await report();
    } while (waits()); // it came while the report was written
  } catch (fault) {
    notify(`the engine has failed: ${fault.message}`);
  }
  running = false;
  $("stop").hidden = true;
  $("stop").disabled = false;
}

async function judge(item, work, diagnosis) {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const clock = setInterval(() => show(item, seconds()), 200);
  show(item, 0);
  try {
    item.report = await judged(item, work, diagnosis);
    item.line = await call("render", "line", [item.report]).catch(() => ""); // the engine may have been stopped
  } finally {
    clearInterval(clock);
  }
  show(item, seconds());
}

// judged returns the report of an item. Of one that cannot be read, or that costs an engine its
// life, as where its memory ends, another engine says so.
async function judged(item, work, diagnosis) {
  let reason;
  try {
    if (item.size > largest) throw new Error(`${item.size} bytes, want ${largest} or fewer in a browser`);
    const bytes = await item.bytes();
    return await call("judge", item.name, bytes, work, diagnosis);
  } catch (fault) {
    reason = fault.message;
  }
  const say = () => call("unusable", item.name, reason);
  return say().catch(say); // the next engine does where this one has just ended
}

// show shows an item as a row of the list.
function show(item, seconds) {
  const r = item.report && JSON.parse(item.report).recordings[0];
  const status = r ? r.status : seconds === undefined ? "waiting" : "judging …";
  item.row.className = "";
  item.row.replaceChildren(
    el("span", { className: `status ${r ? r.status : "waiting"}`, textContent: status }),
    el("span", { className: "file", textContent: item.name }),
    el("span", { className: "time", textContent: seconds === undefined ? "" : `${seconds.toFixed(1)} s` }),
  );
  if (r?.diagnosis) item.row.append(el("span", { className: "sentence", textContent: r.diagnosis.sentence }));
  if (item.line) item.row.append(el("span", { className: "said", textContent: afterName(item.line, r) }));
}

// afterName is the line that the command prints, without what stands in the row already.
function afterName(line, r) {
  const end = line.indexOf(r.file);
  return end < 0 ? line : line.slice(end + r.file.length).trim().replace(/ {2,}/g, "  ");
}

const reports = () => items.filter((i) => i.report).map((i) => i.report);

async function report() {
  if (!items.length) return;
  const [page, text] = await Promise.all([call("render", "html", reports()), call("render", "summary", reports())]);
  if (!items.length) return; // cleared meanwhile
  $("summary").textContent = text;
  const frame = $("report");
  frame.onload = () => {
    frame.style.height = `${frame.contentDocument.documentElement.scrollHeight + 4}px`;
  };
  frame.srcdoc = withoutScript(page);
  frame.hidden = false;
}

// withoutScript leaves out what sorts and filters a long report: the frame runs none.
function withoutScript(page) {
  const parsed = new DOMParser().parseFromString(page, "text/html");
  parsed.querySelectorAll("script").forEach((script) => script.remove());
  return `<!doctype html>${parsed.documentElement.outerHTML}`;
}

// save saves the report in one form.
async function save(form) {
  const [type, name] = {
    html: ["text/html", "plumbline.html"], json: ["application/json", "plumbline.json"],
    junit: ["application/xml", "plumbline.xml"],
  }[form];
  download(name, new Blob([await call("render", form, reports())], { type }));
}

function download(name, blob) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// clearAll forgets every recording.
function clearAll() {
  items = [];
  if (running) startEngine();
  notify("");
  $("list").replaceChildren();
  $("summary").textContent = "";
  $("report").hidden = $("actions").hidden = true;
}

// stop ends the one that is being judged, and leaves out what waits.
function stop() {
  $("stop").disabled = true; // once is enough until the run ends
  for (const item of items.filter((i) => !i.report)) item.bytes = () => Promise.reject(new Error(stopped));
  startEngine();
}

const sourceOf = (file, name = file.name) => ({
  name, size: file.size, bytes: async () => new Uint8Array(await file.arrayBuffer()),
});

const isRecording = (file) => file.name.endsWith(extension);

// below returns every recording below a file or folder that was dropped.
async function below(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return isRecording(file) ? [sourceOf(file, entry.fullPath.replace(/^\//, ""))] : [];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  found.sort((a, b) => (a.name < b.name ? -1 : 1));
  return (await Promise.all(found.map(below))).flat();
}

async function dropped(data) {
  const entries = [...data.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...data.files];
  if (!entries.some((e) => e.isDirectory)) return add(files.map((f) => sourceOf(f)));
  add((await Promise.all(entries.map(below))).flat());
}

function listen() {
  $("files").onchange = () => {
    add([...$("files").files].map((f) => sourceOf(f)));
    $("files").value = "";
  };
  const over = (on) => (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", on);
  };
  document.ondragover = over(true);
  document.ondragleave = over(false);
  document.ondrop = (event) => {
    over(false)(event);
    dropped(event.dataTransfer).catch((fault) => notify(`what was dropped could not be read: ${fault.message}`));
  };
  $("stop").onclick = stop;
  $("clear").onclick = clearAll;
  for (const button of document.querySelectorAll("[data-save]")) {
    button.onclick = () => save(button.dataset.save).catch((fault) => notify(fault.message));
  }
}

function offerExamples() {
  for (const { title, name, base64 } of catalogue.examples) {
    const bytes = async () => bytesOf(base64);
    const button = el("button", { type: "button", textContent: title });
    button.onclick = () => add([{ name, size: base64.length, bytes }]);
    $("examples").append(button, " ");
  }
}

// ---- requests

const opNamed = (name) => catalogue.ops.find((o) => o.name === name);

function offerOps() {
  for (const { name } of catalogue.ops) {
    if (opNamed(name).mistakes?.length) $("op").append(el("option", { textContent: name }));
  }
  $("op").value = "attention.forward";
  $("op").onchange = offerAttributes;
  offerAttributes();
  $("builder").onsubmit = (event) => {
    event.preventDefault();
    make($("op").value).catch((fault) => ($("making").textContent = fault.message));
  };
}

// otherwise is what holds where an attribute is left out.
const otherwise = (a) => a.missing ?? (typeof a.default === "string" ? a.default : JSON.stringify(a.default));

// offerAttributes offers a field for each attribute of the op, empty for the default.
function offerAttributes() {
  const fields = $("attributes");
  fields.replaceChildren(fields.firstElementChild);
  for (const a of opNamed($("op").value).attrs ?? []) {
    const values = a.kind === "flag" ? ["true", "false"] : a.choices;
    const field = values
      ? choice(`default (${otherwise(a)})`, values)
      : el("input", { placeholder: otherwise(a), size: 18 });
    field.dataset.attribute = a.name;
    field.dataset.word = String(a.kind === "choice");
    fields.append(el("label", {}, el("code", { textContent: a.name }), field, el("span", { textContent: a.doc })));
  }
}

// choice is a field with some words to choose from, and one for none of them.
function choice(none, words) {
  const options = words.map((word) => el("option", { textContent: word }));
  return el("select", {}, el("option", { value: "", textContent: none }), ...options);
}

// chosen returns the attributes as the JSON object of a recording.
function chosen() {
  const pairs = [...document.querySelectorAll("[data-attribute]")].filter((f) => f.value.trim() !== "");
  const text = (f) => (f.dataset.word === "true" ? JSON.stringify(f.value) : f.value);
  return `{${pairs.map((f) => `${JSON.stringify(f.dataset.attribute)}:${text(f)}`).join(",")}}`;
}

async function make(op) {
  const button = $("builder").querySelector("button");
  button.disabled = true;
  $("making").textContent = "measuring which mistakes show …";
  $("requested").replaceChildren();
  try {
    const { said, files } = await call("request", op, chosen(), $("type").value);
    showRequested(op, JSON.parse(said), files);
    $("making").textContent = "";
  } finally {
    button.disabled = false;
  }
}

function showRequested(op, { files, mistakes }, bytes) {
  files.forEach((f, i) => {
    const save = el("button", { type: "button", textContent: "Save it" });
    save.onclick = () => download(f.name, new Blob([bytes[i]]));
    const says = `${f.says}. It shows ${f.shows} of ${mistakes.length} known mistakes.`;
    const shown = mistakes.filter((m) => m.file === i).map((m) => m.id);
    $("requested").append(
      el("h3", { textContent: f.name }), el("p", { textContent: says }), save, tryOn(f.name, bytes[i], shown),
    );
  });
  const best = (m) => (m.file < 0 ? `none: hidden ${m.hidden}` : files[m.file].name);
  const rows = mistakes.map((m) => [named(m), m.sentence, m.strength, best(m)]);
  $("requested").append(
    el("h3", { textContent: "What they show" }),
    table(["mistake", "such a kernel", "strength", "shows best in"], rows),
    el("p", { textContent: "Strength: how far a mistake moves the outputs, in deviations. From 10 on it shows." }),
  );
}

// named is the id of a mistake, with its numbers in the bank.
const named = (m) => [m.id, ...(m.numbers ?? [])].join(" ");

// tryOn offers to run an emulated kernel on a request and to judge what it gives.
function tryOn(name, request, mistakes) {
  const which = choice("a right kernel", mistakes);
  which.ariaLabel = "which emulated kernel";
  const go = el("button", { type: "button", textContent: "Run it and judge" });
  go.onclick = async () => {
    try {
      const made = await call("emulate", request, which.value);
      const file = name.replace(extension, `, emulated, ${which.value || "right"}${extension}`);
      add([{ name: file, size: made.length, bytes: async () => made }]);
      $("list").lastElementChild.scrollIntoView({ block: "center" });
    } catch (fault) {
      $("making").textContent = fault.message;
    }
  };
  return el("span", {}, " or run an emulated kernel on it: ", which, " ", go);
}

function table(head, rows) {
  const cells = (tag, row) => el("tr", {}, ...row.map((text) => el(tag, { textContent: text })));
  return el("table", {}, el("thead", {}, cells("th", head)), el("tbody", {}, ...rows.map((r) => cells("td", r))));
}

// ---- the catalogue

function showCatalogue() {
  for (const o of catalogue.ops) {
    const summary = el("summary", {}, el("code", { textContent: o.name }), ` ${o.doc}`);
    const entry = el("details", { id: `op-${o.name}` }, summary);
    entry.addEventListener("toggle", () => entry.append(...described(o)), { once: true });
    $("catalogue").append(entry);
  }
}

const shapeOf = (t) => [t.shape, t.other_shape].filter(Boolean).map((s) => `[${s}]`).join(" or ");

function described(o) {
  const tensors = (list = [], before) =>
    list.map((t) => [before + t.name + (t.optional ? "?" : ""), shapeOf(t), t.doc]);
  const mistakes = (o.mistakes ?? []).map((m) => [named(m), m.sentence, m.hidden]);
  const parts = [
    ["Inputs", ["tensor", "shape", "is"], tensors(o.inputs, "")],
    ["Outputs", ["tensor", "shape", "is"], tensors(o.outputs, "out.")],
    ["Attributes", ["attribute", "default", "says"], (o.attrs ?? []).map((a) => [a.name, otherwise(a), a.doc])],
    ["Arithmetic", ["key", "default", "says"], (o.arithmetic ?? []).map((k) => [k.name, k.default, k.doc])],
    ["Known mistakes", ["mistake", "such a kernel", "hidden"], mistakes],
  ];
  return parts
    .filter(([, , rows]) => rows.length)
    .flatMap(([title, head, rows]) => [el("h3", { textContent: title }), table(head, rows)]);
}

startEngine();
listen();
offerExamples();
offerOps();
showCatalogue();

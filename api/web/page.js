// The page: one address for every view, kept in the part of the URL behind "#".
import { byId, fill, make, problemBox } from "./dom.js";
import * as service from "./service.js";
import * as drawing from "./drawing.js";
import * as player from "./player.js";
import * as parts from "./parts.js";
import * as asking from "./ask.js";
import * as deciding from "./decision.js";

const panel = byId("panel");
const find = byId("find");
let shown = { drawing: "", machine: null, decision: null };
let turn = 0;

// -------------------------------------------------------------- the address
function address() {
  const values = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(["machine", "part", "tab", "question", "decision", "focus", "t", "find"]
    .map((key) => [key, values.get(key) || ""]));
}

function go(changes, replace = false) {
  const view = { ...address(), ...changes };
  const values = new URLSearchParams(Object.entries(view).filter(([, value]) => value !== "" && value !== null));
  const hash = `#${values}`;
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, "", hash);
  } else {
    location.hash = hash;
  }
}

const toPart = (part) => go({ part, tab: "part" });

// -------------------------------------------------------------- drawing a view
async function render() {
  const mine = ++turn;
  const view = address();
  if (!view.machine) {
    await chooseFirst();
    return;
  }
  byId("machine").value = view.machine;
  document.title = `${view.machine} – System Knowledge Base`;
  try {
    await load(view, mine);
  } catch (problem) {
    if (mine !== turn) return;
    const body = problem.body || { detail: String(problem) };
    drawing.fail(body);
    fill(panel, problemBox(body), view.decision || view.part || view.focus
      ? make("button", { onclick: () => go({ decision: "", part: "", focus: "", t: "", tab: "" }) }, `Show ${view.machine}`) : null);
    shown = { drawing: "", machine: null, decision: null };
    return;
  }
  if (mine !== turn) return;
  drawing.select(view.part, true);
  if (find.value !== view.find) find.value = view.find;
  mark();
  await renderPanel(view);
}

async function load(view, mine) {
  const wanted = view.decision ? `decision ${view.decision}` : `machine ${view.machine} ${view.focus}`;
  if (shown.machine?.name !== view.machine) shown.machine = await service.machine(view.machine);
  if (wanted === shown.drawing || mine !== turn) return;
  drawing.busy(`Loading ${view.machine} …`);
  if (view.decision) {
    const known = shown.decision?.id === view.decision ? shown.decision : null;
    const [decision, text] = await Promise.all([
      known || service.decision(view.decision), service.decisionDrawing(view.decision)]);
    if (mine !== turn) return;
    shown.decision = decision;
    drawing.show(text);
  } else {
    const text = await service.machineDrawing(view.machine, view.focus);
    if (mine !== turn) return;
    shown.decision = null;
    drawing.show(text);
  }
  shown.drawing = wanted;
  player.load(shown.decision, view.t === "" ? null : Number(view.t));
  banner(view);
}

function banner(view) {
  const bar = byId("banner");
  bar.hidden = !(view.decision || view.focus);
  if (view.decision) {
    bar.replaceChildren(`The decision “${shown.decision.question}” over ${view.machine}.`,
      make("button", { onclick: () => go({ decision: "", t: "", tab: "part" }) }, "Back to the machine"));
  } else if (view.focus) {
    bar.replaceChildren(`Only ${view.focus} and what is inside it.`,
      make("button", { onclick: () => go({ focus: "" }) }, "Whole machine"));
  }
}

async function renderPanel(view) {
  const tab = view.tab || (view.decision ? "decision" : "part");
  for (const button of document.querySelectorAll("[role=tab]")) {
    button.setAttribute("aria-selected", String(button.dataset.tab === tab));
  }
  try {
    if (tab === "ask") {
      await asking.form(panel, shown.machine, view.question, {
        onQuestion: (question) => go({ question }),
        onDecision: (decision) => {
          shown.decision = decision;
          go({ decision: decision.id, tab: "decision", t: "", focus: "" });
        },
      });
    } else if (tab === "decision") {
      if (shown.decision) deciding.show(panel, shown.decision, toPart);
      else fill(panel, make("p", { class: "empty" }, "No decision is shown. Ask a question under “Ask”, or open an earlier decision under “History”."));
    } else if (tab === "history") {
      await deciding.history(panel, view.machine, (decision) => go({ decision, tab: "decision", t: "", focus: "" }));
    } else if (view.part) {
      await parts.part(panel, view.machine, view.part, toPart, groupOf(view.part));
    } else {
      await parts.overview(panel, view.machine, toPart);
    }
  } catch (problem) {
    fill(panel, problemBox(problem.body || { detail: String(problem) }));
  }
}

function groupOf(part) {
  const svg = drawing.current();
  if (!svg) return null;
  for (const group of svg.querySelectorAll("[data-object]")) {
    if (group.dataset.object === part || (group.dataset.hides || "").split(" ").includes(part)) return group;
  }
  return null;
}

async function chooseFirst() {
  const names = [...byId("machine").options].map((option) => option.value);
  if (names.length) go({ machine: names.includes("tyan-s4985") ? "tyan-s4985" : names[0] }, true);
  if (address().machine) await render();
}

async function listMachines() {
  const rows = await service.machines();
  const group = (origin, label) => {
    const members = rows.filter((row) => row.origin === origin);
    return members.length ? make("optgroup", { label }, members.map((row) => make("option",
      { value: row.name, title: row.title }, `${row.name} (${row.counts.pu} PUs)`))) : null;
  };
  byId("machine").replaceChildren(...[group("stored", "Stored"), group("bundled", "Bundled")].filter(Boolean));
  if (!rows.length) drawing.fail({ detail: "No machine is known.", mend: "Import one: lstopo FILE.xml, then skb import FILE.xml" });
}

// -------------------------------------------------------------- search, keys, clicks
function mark() {
  const hits = drawing.search(find.value);
  byId("found").value = find.value.trim() ? `${hits.length} ${hits.length === 1 ? "part" : "parts"}` : "";
  return hits;
}

let at = 0;
find.addEventListener("input", () => { at = 0; mark(); go({ find: find.value }, true); });
find.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { find.value = ""; mark(); go({ find: "" }, true); }
  if (event.key !== "Enter") return;
  event.preventDefault();
  const hits = mark();
  if (hits.length) toPart(hits[at++ % hits.length]);
});

byId("machine").addEventListener("change", (event) => {
  go({ machine: event.target.value, part: "", decision: "", focus: "", t: "", tab: address().tab === "decision" ? "" : address().tab });
});
for (const button of document.querySelectorAll("[role=tab]")) {
  button.addEventListener("click", () => go({ tab: button.dataset.tab }));
}
byId("zoom-in").addEventListener("click", () => drawing.zoom(1.25));
byId("zoom-out").addEventListener("click", () => drawing.zoom(0.8));
byId("zoom-fit").addEventListener("click", () => drawing.fit());
drawing.whenSelected((part, folded) => {
  if (part.startsWith("flow:")) go({ tab: "decision" });
  else if (folded) go({ focus: shown.drawing.includes(part) ? "" : parentOf(part), part, tab: "part" });
  else toPart(part);
});
player.whenMoved((t) => go({ t: t === null ? "" : String(t) }, true));

function parentOf(part) {
  const group = groupOf(part);
  return group?.parentElement.closest("[data-object]")?.dataset.object || "";
}

const ARROWS = { ArrowUp: "out", ArrowDown: "in", ArrowLeft: "previous", ArrowRight: "next" };
byId("stage").addEventListener("keydown", (event) => {
  const way = ARROWS[event.key];
  if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  toPart(drawing.neighbour(address().part || "machine:0", way));
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.altKey || event.metaKey) return;
  const act = {
    "/": () => find.focus(), "+": () => drawing.zoom(1.25), "-": () => drawing.zoom(0.8), 0: () => drawing.fit(),
    "[": () => player.step(-1), "]": () => player.step(1), Escape: () => go({ part: "" }),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

window.addEventListener("hashchange", render);
try {
  await listMachines();
  await render();
} catch (problem) {
  drawing.fail(problem.body || { detail: String(problem) });
}

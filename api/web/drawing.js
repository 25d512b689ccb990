// The drawing: adopted from the service's SVG, searched, selected, zoomed, traced.
import { byId, make, problemBox } from "./dom.js";

const ALLOWED = new Set(["svg", "g", "rect", "path", "polygon", "circle", "text", "title", "line"]);
const stage = byId("stage");
let svg = null;
let size = { width: 0, height: 0 };
let scale = 1;
let fitted = true;
let parts = new Map();
let onSelect = () => {};

export function whenSelected(callback) { onSelect = callback; }
export const current = () => svg;
export const has = (part) => parts.has(part);

export function busy(words) {
  stage.setAttribute("aria-busy", "true");
  if (!svg) stage.replaceChildren(make("p", { class: "empty" }, words));
}

export function fail(problem) {
  svg = null;
  stage.setAttribute("aria-busy", "false");
  stage.replaceChildren(problemBox(problem));
}

// Only shapes and text come in: no scripts, no handlers, no links.
function clean(node) {
  for (const child of [...node.children]) {
    if (ALLOWED.has(child.localName)) clean(child);
    else child.remove();
  }
  for (const { name } of [...node.attributes]) {
    if (name.startsWith("on") || name === "style" || name.endsWith("href")) node.removeAttribute(name);
  }
}

export function show(text) {
  // The drawing's style sheet is served as a file of its own; the page's policy forbids it inside.
  const bare = text.replace(/<style>[^<]*<\/style>/, "");
  const parsed = new DOMParser().parseFromString(bare, "image/svg+xml");
  if (parsed.documentElement.localName !== "svg") {
    fail({ detail: "The drawing cannot be read." });
    return;
  }
  clean(parsed.documentElement);
  const same = svg && svg.getAttribute("viewBox") === parsed.documentElement.getAttribute("viewBox");
  svg = document.adoptNode(parsed.documentElement);
  size = { width: Number(svg.getAttribute("width")), height: Number(svg.getAttribute("height")) };
  parts = new Map();
  for (const group of svg.querySelectorAll("[data-object]")) {
    if (!group.classList.contains("fold") && !parts.has(group.dataset.object)) parts.set(group.dataset.object, group);
  }
  for (const group of svg.querySelectorAll("[data-hides]")) {
    const hides = group.dataset.hides.split(" ");
    for (const hidden of hides) if (!parts.has(hidden)) parts.set(hidden, group);
  }
  stage.setAttribute("aria-busy", "false");
  stage.replaceChildren(svg);
  if (!same || fitted) fit();
  else resize();
}

// -------------------------------------------------------------- zoom
function resize() {
  svg.setAttribute("width", (size.width * scale).toFixed(1));
  svg.setAttribute("height", (size.height * scale).toFixed(1));
}

export function fit() {
  if (!svg) return;
  fitted = true;
  const room = stage.clientWidth - 14;
  scale = Math.min(Math.max(room / size.width, 0.25), 1.5);
  const tall = (stage.clientHeight - 14) / size.height;
  if (tall < scale && tall > 0.8) scale = tall;
  resize();
}

export function zoom(factor) {
  if (!svg) return;
  fitted = false;
  const middle = {
    x: (stage.scrollLeft + stage.clientWidth / 2) / scale,
    y: (stage.scrollTop + stage.clientHeight / 2) / scale,
  };
  scale = Math.min(Math.max(scale * factor, 0.15), 6);
  resize();
  stage.scrollTo(middle.x * scale - stage.clientWidth / 2, middle.y * scale - stage.clientHeight / 2);
}

stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
}, { passive: false });
new ResizeObserver(() => { if (fitted) fit(); }).observe(stage);

// -------------------------------------------------------------- selection
export function select(part, reveal = false) {
  if (!svg) return;
  for (const old of svg.querySelectorAll(".selected")) old.classList.remove("selected");
  const group = parts.get(part);
  if (!group) return;
  group.classList.add("selected");
  if (reveal) group.querySelector("rect").scrollIntoView({ block: "nearest", inline: "nearest" });
}

export const folded = (part) => parts.get(part)?.classList.contains("fold") || false;

stage.addEventListener("click", (event) => {
  const group = event.target.closest("[data-object]");
  if (group) onSelect(group.dataset.object, group.classList.contains("fold"));
});

stage.addEventListener("mouseover", (event) => {
  if (!svg) return;
  const group = event.target.closest("[data-object]");
  const name = group ? group.dataset.object : "";
  const traced = name.startsWith("pu:") || name.startsWith("flow:")
    ? [...svg.querySelectorAll(".hop")].filter((hop) => hop.dataset.from === name || hop.dataset.to === name)
    : [];
  for (const hop of svg.querySelectorAll(".hop.traced")) hop.classList.remove("traced");
  for (const hop of traced) hop.classList.add("traced");
  svg.classList.toggle("tracing", traced.length > 0);
});

export function neighbour(part, way) {
  const group = parts.get(part);
  if (!group) return "machine:0";
  const inner = [...group.children, ...svg.querySelectorAll(`[data-parent="${CSS.escape(part)}"] > [data-object]`)]
    .filter((child) => child.dataset && child.dataset.object);
  if (way === "in") return inner.length ? inner[0].dataset.object : part;
  const raised = group.parentElement.dataset.parent;
  const outer = raised ? parts.get(raised) : group.parentElement.closest("[data-object]");
  if (way === "out") return outer ? outer.dataset.object : part;
  if (!outer) return part;
  const row = [...outer.children].filter((child) => child.dataset && child.dataset.object);
  if (raised) row.push(...svg.querySelectorAll(`[data-parent="${CSS.escape(raised)}"] > [data-object]`));
  const at = row.indexOf(group) + (way === "next" ? 1 : -1);
  return row[(at + row.length) % row.length].dataset.object;
}

// -------------------------------------------------------------- search
export function search(words) {
  if (!svg) return [];
  const wanted = words.trim().toLowerCase();
  const hits = [];
  for (const group of svg.querySelectorAll("[data-object]")) {
    const own = [...group.children].filter((child) => child.localName === "text" || child.localName === "title");
    const text = [group.dataset.object, group.dataset.hides || "", ...own.map((child) => child.textContent)]
      .join("\n").toLowerCase();
    const exact = /^[a-z0-9]+:/.test(wanted)
      ? ` ${group.dataset.object} ${group.dataset.hides || ""} `.toLowerCase().includes(` ${wanted} `)
      : text.includes(wanted);
    const hit = wanted !== "" && exact;
    group.classList.toggle("found", hit);
    if (hit && !hits.includes(group.dataset.object)) hits.push(group.dataset.object);
  }
  svg.classList.toggle("searching", wanted !== "" && hits.length > 0);
  return hits;
}

// A route played in order of time: a step is a moment at which messages arrive.
import { byId } from "./dom.js";
import { current } from "./drawing.js";
import { grouped } from "./words.js";

const bar = byId("player");
const slider = byId("time");
const clock = byId("clock");
const play = byId("play");
let moments = [];
let arrivals = new Map();
let running = 0;
let onMove = () => {};

export function whenMoved(callback) { onMove = callback; }

export function load(decision, wanted) {
  stop();
  const answer = (decision && decision.question === "route" && decision.answer) || {};
  arrivals = new Map(Object.entries(answer.arrivals || {}).map(([pu, at]) => [`pu:${pu}`, at]));
  bar.hidden = arrivals.size === 0 || !answer.sends;
  if (bar.hidden) return;
  moments = [...new Set(arrivals.values())].sort((a, b) => a - b);
  slider.max = String(moments.length - 1);
  const at = wanted === null || wanted === undefined ? moments.length - 1 : moments.findLastIndex((m) => m <= wanted);
  move(Math.max(0, at), false);
}

function move(step, tell = true) {
  const svg = current();
  const at = Math.min(Math.max(step, 0), moments.length - 1);
  const now = moments[at];
  slider.value = String(at);
  const reached = [...arrivals.values()].filter((when) => when <= now).length;
  const words = `${grouped(now)} ns · ${reached} of ${arrivals.size} PUs`;
  clock.value = words;
  slider.setAttribute("aria-valuetext", words);
  if (!svg) return;
  for (const hop of svg.querySelectorAll(".hop[data-at]")) {
    const when = Number(hop.dataset.at);
    hop.classList.toggle("later", when > now + 0.0005);
    hop.classList.toggle("now", Math.abs(when - now) < 0.001 && at < moments.length - 1);
  }
  for (const box of svg.querySelectorAll(".member")) {
    box.classList.toggle("later", (arrivals.get(box.dataset.object) ?? 0) > now + 0.0005);
  }
  if (tell) onMove(at === moments.length - 1 ? null : now);
}

function stop() {
  clearInterval(running);
  running = 0;
  play.textContent = "▶";
  play.setAttribute("aria-label", "Play");
}

function toggle() {
  if (running) { stop(); return; }
  if (Number(slider.value) >= moments.length - 1) move(0);
  play.textContent = "⏸";
  play.setAttribute("aria-label", "Pause");
  const pause = Math.min(600, Math.max(60, 9000 / moments.length));
  running = setInterval(() => {
    move(Number(slider.value) + 1);
    if (Number(slider.value) >= moments.length - 1) stop();
  }, pause);
}

export const step = (by) => { if (!bar.hidden) { stop(); move(Number(slider.value) + by); } };

play.addEventListener("click", toggle);
byId("first").addEventListener("click", () => { stop(); move(0); });
byId("back").addEventListener("click", () => step(-1));
byId("forth").addEventListener("click", () => step(1));
slider.addEventListener("input", () => { stop(); move(Number(slider.value)); });
byId("only-critical").addEventListener("change", (event) => {
  current()?.classList.toggle("critical-only", event.target.checked);
});
bar.addEventListener("submit", (event) => event.preventDefault());

// Asking: fields for what is simple, JSON for everything, prefilled so that the first click gives an answer.
import { fill, make, problemBox } from "./dom.js";
import * as service from "./service.js";

const drafts = new Map();
let list = null;

async function questions() {
  list ??= await service.questions();
  return list;
}

export async function form(panel, machine, wanted, { onQuestion, onDecision }) {
  fill(panel, make("p", { class: "dim" }, "Loading the questions …"));
  const known = await questions();
  const question = known.find((row) => row.name === wanted) || known.find((row) => row.name === "route") || known[0];
  const key = `${machine.name}/${question.name}`;
  const begin = drafts.get(key) ?? adapted(question, machine);
  const text = make("textarea", { spellcheck: "false", "aria-label": "Request as JSON" });
  const result = make("div", { "aria-live": "polite" });
  const limit = make("input", { type: "number", min: "0.1", max: "60", step: "any", value: "5" });
  const seed = make("input", { type: "number", min: "0", step: "1", value: "0" });
  const fields = simpleFields(question, () => read(), (request) => write(request));
  const curl = make("pre");

  function read() {
    try {
      const value = JSON.parse(text.value || "{}");
      return value && typeof value === "object" && !Array.isArray(value) ? value : null;
    } catch {
      return null;
    }
  }
  function keep() {
    drafts.set(key, text.value);
    curl.textContent = `curl -H 'Content-Type: application/json' \\\n  ${location.origin}/v1/machines/`
      + `${encodeURIComponent(machine.name)}/ask/${question.name} \\\n  -d @- <<'END'\n${text.value}\nEND`;
  }
  function write(request) {
    text.value = JSON.stringify(request, null, 2);
    keep();
  }
  async function send(event) {
    event.preventDefault();
    const request = read();
    if (!request) {
      fill(result, problemBox({ detail: "The request is not a JSON object.", place: whereInJson(text.value),
        mend: "Correct it, or begin again from the example." }));
      return;
    }
    button.disabled = true;
    button.textContent = "Deciding …";
    fill(result);
    try {
      const decision = await service.ask(machine.name, question.name,
        { ...request, limit_s: Number(limit.value), seed: Number(seed.value) });
      onDecision(decision);
    } catch (problem) {
      fill(result, problemBox(problem.body || { detail: String(problem) }));
    } finally {
      button.disabled = false;
      button.textContent = "Ask";
    }
  }

  const pick = make("select", { "aria-label": "Question", onchange: (event) => onQuestion(event.target.value) },
    known.map((row) => make("option", { value: row.name, selected: row === question }, row.name)));
  const button = make("button", { class: "main", type: "submit" }, "Ask");
  text.addEventListener("input", () => { keep(); const request = read(); if (request) fields.refresh(request); });
  if (typeof begin === "string") { text.value = begin; keep(); } else write(begin);
  fields.refresh(read() || {});
  text.rows = Math.min(24, Math.max(8, text.value.split("\n").length + 1));
  fill(panel, make("form", { class: "ask", onsubmit: send },
    make("label", {}, "Question", pick),
    make("p", { class: "dim small" }, question.summary),
    fields.nodes.length ? make("div", { class: "grid" }, fields.nodes) : null,
    make("label", {}, "Request (the same keys as in a request file)", text),
    make("div", { class: "grid" }, make("label", {}, "Time limit, s", limit), make("label", {}, "Seed", seed)),
    make("div", { class: "buttons" }, button,
      make("button", { type: "button", onclick: () => { write(adapted(question, machine)); fields.refresh(read()); } }, "Example")),
    result,
    make("details", {}, make("summary", {}, "As a command"), curl)));
}

function whereInJson(text) {
  try { JSON.parse(text); } catch (fault) { return fault.message; }
  return "";
}

// Fields for the top-level numbers, lists of PUs and choices of a question, made from its JSON schema.
function simpleFields(question, read, write) {
  const schema = question.schema;
  const root = schema.$ref ? schema.$defs[schema.$ref.split("/").pop()] : schema;
  const fields = [];
  for (const [name, described] of Object.entries(root.properties || {})) {
    const kind = simpleKind(described);
    if (!kind) continue;
    const input = kind.choices
      ? make("select", {}, kind.choices.map((choice) => make("option", { value: choice }, choice)))
      : make("input", { type: "text", inputmode: "numeric", placeholder: kind.list ? "all usable, or 0,4,8-11" : "free" });
    input.addEventListener("change", () => {
      const request = read();
      if (!request) return;
      const value = kind.choices ? input.value : kind.list ? readList(input.value) : readNumber(input.value);
      if (value === null) delete request[name];
      else request[name] = value;
      write(request);
    });
    fields.push({ name, kind, input, described });
  }
  return {
    nodes: fields.map(({ name, input }) => make("label", {}, name.replaceAll("_", " "), input)),
    refresh(request) {
      for (const { name, kind, input, described } of fields) {
        const value = request[name];
        if (kind.choices) input.value = value ?? described.default ?? kind.choices[0];
        else input.value = value === undefined || value === null ? "" : kind.list ? writeList(value) : String(value);
      }
    },
  };
}

function simpleKind(described) {
  const options = described.anyOf || [described];
  const first = options.find((option) => option.type !== "null") || {};
  if (first.enum && first.enum.length > 1) return { choices: first.enum };
  if (first.type === "integer") return {};
  if (first.type === "array" && first.items && first.items.type === "integer") return { list: true };
  return null;
}

function readNumber(text) {
  const words = text.trim();
  return /^\d+$/.test(words) ? Number(words) : null;
}

function readList(text) {
  const found = [];
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(word);
    if (!range) continue;
    const last = Number(range[2] ?? range[1]);
    for (let at = Number(range[1]); at <= last && found.length < 65536; at += 1) found.push(at);
  }
  return found.length ? found : null;
}

function writeList(numbers) {
  if (!Array.isArray(numbers)) return "";
  const words = [];
  for (let at = 0; at < numbers.length; at += 1) {
    let end = at;
    while (numbers[end + 1] === numbers[end] + 1) end += 1;
    words.push(end > at + 1 ? `${numbers[at]}-${numbers[end]}` : numbers.slice(at, end + 1).join(","));
    at = end;
  }
  return words.join(",");
}

// The example of a question, with devices and PUs that this machine has.
function adapted(question, machine) {
  const devices = machine.devices.filter((device) => device.kinds.includes("network"));
  const device = devices[0] || machine.devices[0];
  const pus = machine.allowed_pus;
  const change = (value, key) => {
    if (Array.isArray(value)) return value.map((item) => change(item, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, change(v, k)]));
    }
    if (key === "device" && device) return device.id.replace("device:", "");
    if ((key === "near" || key === "at") && /^(pci|device):/.test(value)) return device ? device.id : `pu:${pus[0]}`;
    if ((key === "consumer" || key === "root") && Number.isInteger(value) && !pus.includes(value)) return pus[pus.length - 1];
    if (key === "rules" && device && typeof value === "string") return value.replace(/"device:[^"]*"/, JSON.stringify(device.id));
    return value;
  };
  const request = change(question.example, "");
  if (question.name === "route" && pus.length > 256) {
    const step = Math.ceil(pus.length / 128);
    request.members = pus.filter((_, at) => at % step === 0);
  }
  return request;
}

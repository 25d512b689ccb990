// The panel about a part: what is known of it, from whom, in which unit.
import { fill, make, number, problemBox, table } from "./dom.js";
import * as service from "./service.js";
import { bytes, quantity } from "./words.js";

let meanings = null;

async function relationOf(predicate) {
  meanings ??= service.relations().then((found) => new Map(found.relations.map((row) => [row.name, row])));
  return (await meanings).get(predicate);
}

const linkTo = (part, go) => make("button", { type: "button", class: "link", onclick: () => go(part) }, part);

export async function overview(panel, name, go) {
  fill(panel, make("p", { class: "dim" }, `Loading ${name} …`));
  const machine = await service.machine(name);
  const counts = Object.entries(machine.counts).filter(([, count]) => count > 0);
  const devices = machine.devices.slice(0, 60);
  fill(panel,
    make("h2", {}, machine.name),
    machine.title ? make("p", {}, machine.title) : null,
    make("p", { class: "dim" }, "Click a box to see what is known of it and who says so. ",
      "Ask where things should go under “Ask”."),
    make("h3", {}, "Parts"),
    table([], counts.map(([kind, count]) => [kind, number(count.toLocaleString("en"))])),
    make("h3", {}, "Memory"),
    make("p", {}, machine.memory_bytes ? bytes(machine.memory_bytes) : "Nobody stated the size of the memory."),
    make("h3", {}, "Devices"),
    devices.length
      ? table(["Device", "Kind", "NUMA"], devices.map((device) => [
        linkTo(device.id, go), device.kinds.join(", "), number(device.numa.join(", ")),
      ]))
      : make("p", { class: "dim" }, "None are described."),
    machine.notes.length ? [make("h3", {}, "Notes"), machine.notes.map((note) => make("p", {}, note))] : null,
    make("h3", {}, "Snapshot"),
    make("p", { class: "small dim" }, `revision ${machine.revision} · ${machine.digest.slice(0, 23)}…`),
  );
}

export async function part(panel, machine, name, go, group) {
  fill(panel, make("p", { class: "dim" }, `Loading ${name} …`));
  let found;
  try {
    found = (await service.facts(machine, name)).facts;
  } catch (problem) {
    fill(panel, problemBox(problem.body || { detail: String(problem) }));
    return;
  }
  const parent = found.find((fact) => fact.predicate === "contains" && fact.args[1] === name);
  const children = found.filter((fact) => fact.predicate === "contains" && fact.args[0] === name);
  children.sort((a, b) => a.args[1].localeCompare(b.args[1], "en", { numeric: true }));
  const own = found.filter((fact) => fact.predicate !== "contains");
  const groups = new Map();
  for (const fact of own) {
    const key = JSON.stringify([fact.source, fact.by, fact.when]);
    groups.set(key, [...(groups.get(key) || []), fact]);
  }
  const blocks = await Promise.all([...groups.values()].map(async (facts) => [
    make("p", { class: "from" }, origin(facts[0])),
    table([], await Promise.all(facts.map((fact) => factRow(fact, name, go)))),
  ]));
  const hides = (group && group.dataset.hides ? group.dataset.hides.split(" ") : []).filter((other) => other !== name);
  const shown = group && group.dataset.object !== name ? [group.dataset.object] : [];
  fill(panel,
    make("h2", {}, name),
    parent ? make("p", { class: "dim" }, "in ", linkTo(parent.args[0], go),
      make("span", { class: "small" }, ` (${parent.source})`)) : null,
    make("h3", {}, "Facts"),
    blocks.length ? blocks
      : make("p", { class: "dim" }, "Nothing beyond its place is known. Add a fact with ",
        make("code", {}, "skb assert"), " or PATCH /v1/machines/…/facts."),
    children.length ? [make("h3", {}, `Contains ${children.length}`),
      make("p", {}, children.slice(0, 64).flatMap((fact) => [linkTo(fact.args[1], go), " "]),
        children.length > 64 ? `… and ${children.length - 64} more` : null)] : null,
    hides.length || shown.length ? [make("h3", {}, "In the same box"),
      make("p", {}, [...shown, ...hides].slice(0, 48).flatMap((other) => [linkTo(other, go), " "]))] : null,
  );
}

async function factRow(fact, name, go) {
  const relation = await relationOf(fact.predicate);
  const rest = fact.args.filter((arg, at) => !(arg === name && at === fact.args.indexOf(name)));
  const value = rest.length ? rest[rest.length - 1] : "yes";
  const between = rest.slice(0, -1).map((arg) => (/^[a-z0-9]+:/.test(String(arg)) ? linkTo(arg, go) : String(arg)));
  const spread = fact.spread ? ` ± ${quantity(fact.spread, fact.unit)}` : "";
  const label = make("span", { title: relation ? relation.meaning : "" }, fact.predicate.replaceAll("_", " "));
  const object = /^[a-z0-9]+:/.test(String(value)) && !fact.unit;
  const samples = fact.samples ? ` (${fact.samples} samples)` : "";
  return {
    css: fact.holds ? "" : "overruled",
    cells: [
      [label, between.length ? [" ", between.flatMap((word) => [word, " "])] : null],
      object ? linkTo(value, go) : number(quantity(value, fact.unit) + spread + samples
        + (fact.holds ? "" : " (overruled)")),
    ],
  };
}

function origin(fact) {
  const more = [fact.by, fact.when].filter(Boolean).join(" · ");
  return [make("span", { class: `source ${fact.source}` }, fact.source),
    more ? make("span", { class: "small dim", title: more }, ` ${more.length > 160 ? `${more.slice(0, 160)}…` : more}`) : null];
}

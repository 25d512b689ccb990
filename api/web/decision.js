// The panel about a decision: what was decided, how sure it is, what it costs, why, and why not otherwise.
import { fill, make, number, problemBox, table } from "./dom.js";
import * as service from "./service.js";
import { grouped, percent, quantity, statusWords } from "./words.js";

export function show(panel, decision, go) {
  const objective = decision.objective || {};
  const unit = objective.unit;
  // a query that does not optimise counts answer sets: nothing is proven about a price
  const counted = decision.question === "query" && decision.status !== "infeasible" && !unit;
  fill(panel, ...[
    make("p", {}, make("span", { class: `badge ${decision.status}` }, counted ? "answered" : statusWords(decision))),
    counted || objective.value === null || objective.value === undefined ? null
      : make("p", { class: "headline" }, quantity(objective.value, unit)),
    make("p", { class: "dim" }, `${decision.question} on ${decision.machine}, ${objective.name || "value"}`),
    counted || decision.status === "infeasible" ? null : make("p", { class: "dim small" }, boundWords(decision, unit)),
    decision.status === "infeasible" ? reasons(decision, go, "These constraints together make it impossible") : null,
    answer(decision, go),
    decision.costs.length ? [make("h3", {}, "What it costs"), table(["Term", number("Cost")],
      decision.costs.map((cost) => [cost.term, number(quantity(cost.value, cost.unit))]))] : null,
    decision.status === "infeasible" ? null : reasons(decision, go, "What bound the answer"),
    alternatives(decision, unit),
    decision.question === "query" || !Object.keys(decision.answer).length ? null : whyNot(decision),
    list("Warnings", decision.warnings),
    list(`Assumed, because nobody stated it`, decision.assumed.map((row) => `${row.fact}: ${row.because}`)),
    make("h3", {}, "Where it comes from"),
    provenance(decision),
    make("p", { class: "small" },
      make("a", { href: `/v1/decisions/${decision.id}.svg`, download: `${decision.question}-${decision.id}.svg` }, "Drawing"), " · ",
      make("a", { href: `/v1/decisions/${decision.id}` }, "JSON")),
    make("details", {}, make("summary", {}, "Request"), make("pre", {}, JSON.stringify(decision.request, null, 2))),
    make("details", {}, make("summary", {}, "Answer"), make("pre", {}, JSON.stringify(decision.answer, null, 2))),
  ]);
}

function boundWords(decision, unit) {
  if (decision.bound === null || decision.bound === undefined) return "No lower bound was proven.";
  if (decision.status === "optimal") return `Nothing below ${quantity(decision.bound, unit)} is possible: proven.`;
  const gap = decision.gap === null || decision.gap === undefined ? "" : `, gap ${percent(decision.gap)}`;
  return `Proven lower bound ${quantity(decision.bound, unit)}${gap}.`;
}

const partLink = (part, go) => make("button", { type: "button", class: "link", onclick: () => go(part) }, part);

function items(names, go) {
  return names.flatMap((name) => [" ", /^(task|flow):/.test(name) || !name.includes(":")
    ? make("code", { class: "small" }, name) : partLink(name, go)]);
}

function reasons(decision, go, title) {
  if (!decision.reasons.length) return null;
  return [make("h3", {}, title), make("ul", { class: "plain" },
    decision.reasons.map((reason) => make("li", {}, reason.text, make("span", { class: "small" }, items(reason.items || [], go)))))];
}

function list(title, words) {
  if (!words || !words.length) return null;
  return [make("h3", {}, title), make("ul", { class: "plain small" }, words.map((text) => make("li", {}, text)))];
}

function answer(decision, go) {
  const found = decision.answer || {};
  if (decision.question === "route" && found.sends) return route(found, go);
  if (decision.question === "placement" && found.tasks) return placement(found, go);
  if (decision.question === "buffers" && found.flows) return buffers(found, decision);
  if (decision.question === "query" && found.models) return models(found, go);
  if (decision.question === "replicas" && found.objects) return replicas(found, go);
  return null;
}

function route(found, go) {
  const path = found.critical_path || [];
  return [make("h3", {}, "Route"),
    make("p", {}, "Root ", partLink(`pu:${found.root}`, go), `, ${found.sends.length} senders, `
      + `${found.sends.reduce((sum, row) => sum + row.to.length, 0)} sends. Play it below the drawing.`),
    path.length ? make("p", { class: "small" }, "Critical path: ",
      path.slice(0, 40).flatMap((pu, at) => [at ? " → " : "", partLink(`pu:${pu}`, go)])) : null,
    found.phases && Object.keys(found.phases).length > 1 ? table(["Phase", number("Time")],
      Object.entries(found.phases).map(([name, at]) => [name, number(quantity(at, "ns"))])) : null,
    make("details", {}, make("summary", {}, "Sends in order"), table(["From", "To, in this order"],
      found.sends.slice(0, 300).map((row) => [`PU ${row.from}`, row.to.join(", ")])))];
}

function placement(found, go) {
  return [make("h3", {}, "Tasks"), table(["Task", "PUs", "Memory"], Object.entries(found.tasks).slice(0, 200).map(([name, task]) => [
    name, [...(task.pus || [])].sort((a, b) => a - b).slice(0, 32).flatMap((pu) => [partLink(`pu:${pu}`, go), " "]),
    task.numa_node === null || task.numa_node === undefined ? "–" : partLink(`numa:${task.numa_node}`, go),
  ]))];
}

function replicas(found, go) {
  return Object.entries(found.objects).slice(0, 40).flatMap(([name, told]) => [make("h3", {}, name),
    make("p", {}, `${told.replicas} replicas, one per ${told.granularity}; coordinator `, partLink(`pu:${told.coordinator}`, go)),
    table(["Domain", "Inside", "Leader"], told.domains.slice(0, 100).map((row) => [
      partLink(row.part, go), row.inside, partLink(`pu:${row.leader}`, go)])),
    table(["Operation", "Protocol", number("Ends after")], Object.entries(told.operations).map(([each, row]) => [
      each, row.protocol, number(quantity(row.latency_ns.mean, "ns"))]))]);
}

const NEAR = { device: "near the device", core: "near the consumer", both: "near both", other: "elsewhere" };

function buffers(found, decision) {
  const asked = new Map((decision.request.flow || []).map((flow) => [flow.name, flow]));
  const nodes = new Map();
  for (const [name, flow] of Object.entries(found.flows)) {
    nodes.set(flow.numa_node, [...(nodes.get(flow.numa_node) || []), [name, flow]]);
  }
  return [...nodes.entries()].sort((a, b) => a[0] - b[0]).flatMap(([node, flows]) => [
    make("h3", {}, node === null ? "In the consumer's own memory" : `NUMA node ${node}`),
    flows.slice(0, 40).map(([name, flow]) => oneBuffer(name, flow, asked.get(name) || {})),
  ]).flat();
}

function oneBuffer(name, flow, asked) {
  const rows = flow.alternatives || [];
  const best = Math.min(...rows.map((row) => row.value));
  const worst = Math.max(...rows.map((row) => row.value));
  const reader = flow.consumer_pu !== undefined ? `PU ${flow.consumer_pu}` : asked.consumer;
  const place = (row) => row.place || `numa:${row.numa_node}`;
  const rings = Object.entries(flow.rings || {}).map(([kind, ring]) => `${kind} in ${place(ring)}`).join(", ");
  const ends = [asked.device, reader !== undefined && reader !== null ? `consumer ${reader}` : "", rings].filter(Boolean).join(" → ");
  return make("div", {},
    make("p", {}, make("strong", {}, name), ` ${NEAR[flow.near] || flow.near || ""}`,
      ends ? make("span", { class: "dim" }, ` (${ends})`) : null),
    rows.length ? table(["Node", number("Price"), number("Against the best"), ""], rows.slice(0, 16).map((row) => ({
      css: place(row) === place(flow) ? "chosen" : "",
      cells: [place(row).replace("numa:", "NUMA "), number(quantity(row.value, row.unit)),
        number(row.value === best ? "–" : `+${percent((row.value - best) / best)}`), bar(row.value, best, worst)],
    }))) : null,
    crossover(flow));
}

function bar(value, best, worst) {
  const node = make("div", { class: "bar" });
  node.style.width = `${8 + (worst > best ? (40 * (value - best)) / (worst - best) : 0)}px`;
  return node;
}

function crossover(flow) {
  if (flow.touched === undefined) return null;
  const flips = flow.flips || [];
  const scale = make("div", { class: "scale", role: "img",
    "aria-label": `touched share ${percent(flow.touched)}` });
  const at = (node, share) => { node.style.left = `${share * 100}%`; scale.append(node); };
  for (const flip of flips) at(make("i", { title: `NUMA ${flip.from} below, NUMA ${flip.to} above` }), flip.touched);
  at(make("b", { title: "this flow" }), flow.touched);
  at(make("span", {}, "0 %"), 0.02);
  at(make("span", {}, "100 % touched"), 0.86);
  const words = flips.length
    ? flips.map((flip) => `at ${percent(flip.touched)} the choice flips from NUMA ${flip.from} to NUMA ${flip.to}`).join("; ")
    : "the same node is best for any share";
  return [make("p", { class: "small dim" }, `The consumer touches ${percent(flow.touched)} of each packet; ${words}.`), scale];
}

function models(found, go) {
  return [make("h3", {}, `${found.count ?? found.models.length} answer sets`),
    found.models.slice(0, 20).map((model) => make("ul", { class: "plain small" },
      (model.atoms || []).slice(0, 300).map((atom) => make("li", {}, make("code", {}, atom.predicate), " ",
        (atom.args || []).flatMap((arg) => [/^[a-z0-9]+:/.test(String(arg)) ? partLink(String(arg), go) : String(arg), " "])))))];
}

// Alternatives state their whole price (`value`), what they cost more (`costs_more`), or what a pair costs (`price`).
function alternatives(decision, unit) {
  const rows = (decision.alternatives || []).slice(0, 40);
  if (!rows.length) return null;
  const base = decision.objective.value;
  const paid = rows.filter((row) => row.price !== undefined);
  const other = rows.filter((row) => row.price === undefined);
  return [
    paid.length ? [make("h3", {}, "What each pair costs"), table(["Pair", number("Latency"), number("Price")], paid.map((row) => [
      row.traffic || row.name || "pair", number(quantity(row.latency_ns, "ns")), number(quantity(row.price, row.unit || unit))]))] : null,
    other.length ? [make("h3", {}, "Alternatives"), table(["", number("Costs more")], other.map((row) => {
      const more = row.costs_more ?? (typeof row.value === "number" && typeof base === "number" ? row.value - base : null);
      const share = more !== null && base ? ` (${more < 0 ? "−" : "+"}${percent(Math.abs(more) / base)})` : "";
      return [alternativeName(row), number(more === null ? "–" : quantity(more, row.unit || unit) + share)];
    }))] : null,
  ];
}

function alternativeName(row) {
  const words = [row.name || row.task || row.text || "alternative"];
  if (row.root !== undefined) words.push(`from PU ${row.root}`);
  if (row.pus) words.push(`on PU ${row.pus.slice(0, 16).join(", ")}`);
  if (row.numa_node !== undefined && row.numa_node !== null) words.push(`memory in NUMA ${row.numa_node}`);
  const remark = row.breaks ? `breaks ${row.breaks}` : row.lacks || row.note;
  return [words.join(", "), remark ? make("div", { class: "small dim" }, remark) : null];
}

const HINTS = { placement: "task=rx pu=5", buffers: "flow=rx node=1", route: "from=0 to=4", replicas: "object=page-table level=core" };

function whyNot(decision) {
  const input = make("input", { type: "text", placeholder: HINTS[decision.question] || "", "aria-label": "Alternative", spellcheck: "false" });
  const result = make("div", { "aria-live": "polite" });
  const send = async (event) => {
    event.preventDefault();
    fill(result, make("p", { class: "dim" }, "Deciding …"));
    try {
      const told = (await service.whyNot(decision.id, input.value)).not;
      const difference = told.difference;
      fill(result,
        make("p", {}, told.status === "infeasible" ? "That is impossible:" : make("strong", {},
          difference === null ? "No price." : difference <= 0 ? "It would cost no more."
            : `It would cost ${quantity(difference, told.objective.unit)} more.`)),
        make("ul", { class: "plain small" }, told.reasons.map((reason) => make("li", {}, reason.text))),
        told.status === "infeasible" ? "" : make("p", { class: "small dim" }, told.exact
          ? "Exact: both answers are proven optimal." : "An estimate: not both answers are proven optimal."));
    } catch (problem) {
      fill(result, problemBox(problem.body || { detail: String(problem) }));
    }
  };
  return [make("h3", {}, "Why not …?"), make("form", { class: "buttons", onsubmit: send }, input, make("button", {}, "Price it")), result];
}

function provenance(decision) {
  const from = decision.provenance || {};
  const rows = Object.entries(from).filter(([, value]) => value !== "" && value !== null)
    .map(([key, value]) => [key.replaceAll("_", " "), typeof value === "number" ? grouped(value)
      : String(value).length > 60 ? `${String(value).slice(0, 30)}…` : String(value)]);
  return table([], [["decision", decision.id], ["revision", String(decision.revision)], ...rows]);
}

export async function history(panel, machine, open) {
  fill(panel, make("p", { class: "dim" }, "Loading …"));
  const rows = await service.decisions(machine);
  fill(panel, make("h2", {}, "Decisions"), rows.length
    ? table(["Question", "Status", number("Value"), ""], rows.map((row) => [
      make("button", { type: "button", class: "link", onclick: () => open(row.id) }, row.question),
      statusWords({ ...row, gap: row.gap ?? null }),
      number(row.objective ? quantity(row.objective.value, row.objective.unit) : "–"),
      make("span", { class: "small dim" }, row.id.slice(0, 6)),
    ]))
    : make("p", { class: "empty" }, "Nothing was decided on this machine yet. Ask under “Ask”."));
}

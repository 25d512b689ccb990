// Talking to the service. Every error becomes a problem with detail, place and mend.

export class Problem extends Error {
  constructor(body) {
    super(body.detail || body.title);
    this.body = body;
  }
}

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Problem({ detail: "The service does not answer.", mend: "Is `skb serve` still running?" });
  }
  if (answer.ok) return answer;
  let body;
  try {
    body = await answer.json();
  } catch {
    body = { detail: `The service answered ${answer.status}.` };
  }
  throw new Problem(body);
}

const name = encodeURIComponent;

export const machines = async () => (await call("/v1/machines")).json();
export const machine = async (m) => (await call(`/v1/machines/${name(m)}`)).json();
export const questions = async () => (await call("/v1/questions")).json();
export const relations = async () => (await call("/v1/relations")).json();
export const decision = async (id) => (await call(`/v1/decisions/${name(id)}`)).json();
export const decisions = async (m) => (await call(`/v1/decisions?limit=100&machine=${name(m)}`)).json();
export const machineDrawing = async (m, focus) =>
  (await call(`/v1/machines/${name(m)}.svg?focus=${name(focus || "machine:0")}`)).text();
export const decisionDrawing = async (id) => (await call(`/v1/decisions/${name(id)}.svg`)).text();
export const facts = async (m, part) =>
  (await call(`/v1/machines/${name(m)}/facts?limit=500&object=${name(part)}`)).json();
export const whyNot = async (id, clause) =>
  (await call(`/v1/decisions/${name(id)}/why?not=${name(clause)}`)).json();
export const ask = async (m, question, request) => (await call(`/v1/machines/${name(m)}/ask/${name(question)}`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(request),
})).json();

// Quantities in words, always with their unit.

const STEPS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value) {
  let step = 0;
  let size = value;
  while (size >= 1024 && step < STEPS.length - 1) { size /= 1024; step += 1; }
  return `${Number(size.toPrecision(4))} ${STEPS[step]}`;
}

export function quantity(value, unit) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return unit ? `${value} ${unit}` : String(value);
  if (unit === "bytes") return bytes(value);
  if (unit === "ns/s" && Math.abs(value) >= 1e6) {
    return `${grouped(value / 1e6)} ms/s`;
  }
  return unit ? `${grouped(value)} ${unit}` : grouped(value);
}

export function grouped(value) {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

export const percent = (share) => `${(share * 100).toLocaleString("en", { maximumFractionDigits: 1 })} %`;

export function statusWords(decision) {
  if (decision.status === "optimal") return "proven optimal";
  if (decision.status === "feasible") {
    return decision.gap === null || decision.gap === undefined
      ? "best found, no bound known"
      : `best found, at most ${percent(decision.gap)} above the optimum`;
  }
  if (decision.status === "infeasible") return "impossible";
  return "no answer found";
}

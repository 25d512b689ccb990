// Building the page's elements. Text always goes in as text: names of machines and parts are others' words.

export function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const child of children.flat(3)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

// Put children into a node in place of what it had; nothing stands for what is not there.
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
}

export const byId = (id) => document.getElementById(id);

export function table(heads, rows) {
  const cell = (tag, value) => {
    const number = value && value.number !== undefined;
    return make(tag, number ? { class: "number" } : {}, number ? value.number : value);
  };
  return make("table", {},
    heads.length ? make("thead", {}, make("tr", {}, heads.map((head) => cell("th", head)))) : null,
    make("tbody", {}, rows.map((row) => {
      const { cells, css } = Array.isArray(row) ? { cells: row, css: "" } : row;
      return make("tr", css ? { class: css } : {}, cells.map((value) => cell("td", value)));
    })));
}

export const number = (words) => ({ number: words });

export function problemBox(problem) {
  return make("div", { class: "problem", role: "alert" },
    make("p", {}, make("strong", {}, problem.detail || problem.title || "Something went wrong.")),
    problem.place ? make("p", { class: "small" }, `Where: ${problem.place}`) : null,
    problem.mend ? make("p", { class: "small" }, `What to do: ${problem.mend}`) : null);
}

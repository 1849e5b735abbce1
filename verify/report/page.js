"use strict";
(() => {
  // A link to a recording opens it.
  const open = () => {
    const at = document.getElementById(location.hash.slice(1));
    if (at && at.tagName === "DETAILS") {
      at.open = true;
      at.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
  const table = document.getElementById("recordings");
  if (!table || table.tBodies[0].rows.length < 2) return;
  const body = table.tBodies[0], rows = [...body.rows];
  // The order of the table by any column, and back to the order of the run.
  const key = (row, column) => {
    const text = row.cells[column].textContent;
    const number = parseFloat(text);
    return column > 2 ? (Number.isNaN(number) ? -Infinity : number) : text;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const next = {none: "descending", descending: "ascending", ascending: "none"};
      const order = next[head.getAttribute("aria-sort") || "none"];
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const sorted = order === "none" ? rows : [...rows].sort((a, b) => {
        const x = key(a, column), y = key(b, column);
        return x < y ? -sign : x > y ? sign : 0;
      });
      body.append(...sorted);
    });
  });
  // Fewer recordings: by name or op, and by verdict.
  const controls = document.getElementById("controls");
  const words = document.createElement("input");
  words.type = "search";
  words.placeholder = "name or op";
  words.setAttribute("aria-label", "show recordings whose name or op has");
  controls.append(words);
  const shown = new Map();
  const filter = () => {
    for (const row of rows) {
      const fits = row.textContent.toLowerCase().includes(words.value.toLowerCase());
      row.hidden = !fits || !shown.get(row.className).checked;
    }
  };
  for (const status of new Set(rows.map((row) => row.className))) {
    const box = document.createElement("input"), label = document.createElement("label");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", filter);
    shown.set(status, box);
    label.append(box, " " + status);
    controls.append(label);
  }
  words.addEventListener("input", filter);
})();

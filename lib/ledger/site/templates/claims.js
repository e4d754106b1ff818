"use strict";
(function () {
  // A link to a claim or panel opens what is folded there.
  function unfold() { const target = document.getElementById(location.hash.slice(1)), inside = target && target.matches(".claim, .card") && target.querySelector("details"); if (inside) { inside.open = true; } }
  addEventListener("hashchange", unfold); unfold();
  const table = document.getElementById("board");
  if (!table) { return; }
  const body = table.tBodies[0], rows = Array.from(body.rows);
  const form = document.getElementById("filters"), search = document.getElementById("search"), count = document.getElementById("count"), none = document.getElementById("none");
  const by = {}; form.querySelectorAll("select").forEach(s => { by[s.id.slice(3)] = s; });
  const texts = rows.map(r => r.textContent.toLowerCase());
  const tiles = Array.from(document.querySelectorAll(".tile"));

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    rows.forEach((row, i) => {
      const fits = words.every(w => texts[i].includes(w)) && Object.entries(by).every(([name, s]) => !s.value || row.dataset[name] === s.value);
      row.hidden = !fits; n += fits;
    });
    count.textContent = n + " of " + rows.length + " claims";
    none.hidden = n > 0;
    tiles.forEach(t => t.toggleAttribute("aria-current", by.answer.value === t.dataset.answer));
  }
  form.addEventListener("input", filter);
  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  document.getElementById("clear").addEventListener("click", () => form.reset());
  tiles.forEach(t => t.addEventListener("click", e => { e.preventDefault(); by.answer.value = by.answer.value === t.dataset.answer ? "" : t.dataset.answer; filter(); }));

  const heads = Array.from(table.tHead.rows[0].cells);
  function sortKey(row, i) { const c = row.cells[i]; return c.dataset.sort === undefined ? c.textContent.trim() : Number(c.dataset.sort); }
  heads.forEach((head, i) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(h => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.map(r => [sortKey(r, i), r]).sort((a, b) => (down ? -1 : 1) * (typeof a[0] === "number" ? a[0] - b[0] : a[0].localeCompare(b[0], "en", { numeric: true })))
      .forEach(([, r]) => body.appendChild(r));
  }));

  // A link to a claim that the filter hides shows it.
  addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) { form.reset(); setTimeout(() => { filter(); target.scrollIntoView(); }); }
  });
  new URLSearchParams(location.search).forEach((value, name) => { if (by[name]) { by[name].value = value; } });
  filter();
})();

// Sorting of tables by the buttons in their headings: numbers by data-order, texts by themselves, gaps last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const status = document.querySelector(".sorted");
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const rows = [...table.tBodies[0].rows];
    const numeric = rows.some((row) => row.cells[column].dataset.order !== undefined);
    const key = (row) => {
      const cell = row.cells[column];
      if (!numeric) return cell.textContent.trim();
      return cell.dataset.order === undefined ? null : Number(cell.dataset.order);
    };
    const compare = (a, b) => (numeric ? a - b : a.localeCompare(b));
    const keyed = rows.map((row) => [key(row), row]);
    keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : compare(a, b) * (down ? -1 : 1)));
    table.tBodies[0].append(...keyed.map(([, row]) => row));
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    status.textContent = `Sorted by ${head.textContent.trim()}, ${down ? "descending" : "ascending"}`;
  }));
}

// A click on a heading sorts its table. In a column with numbers, words such as "ok" count as 0.
for (const table of document.querySelectorAll("article table:not([class])")) {
  const rows = [...table.tBodies[0].rows];
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const cells = rows.map((row) => row.cells[column]);
    if (!cells.some((cell) => /^\d+(\.|$|,| )/.test(cell.textContent))) return;
    heading.dataset.sortMethod = "number";
    for (const cell of cells) cell.dataset.sort = (parseFloat(cell.textContent) || 0).toFixed(9);
  });
  new Tablesort(table);
}

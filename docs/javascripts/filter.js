// Long tables receive a field to search in and a choice for each column with few values.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 30) continue;
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const bar = document.createElement("p");
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "Search";
    search.setAttribute("aria-label", "Search the table");
    bar.append(search);
    const choices = heads.map((head, column) => {
      const values = new Set(
        rows.flatMap((row) => row.cells[column].textContent.trim().split("/")).filter(Boolean),
      );
      if (values.size < 2 || values.size > 8) return null;
      const select = document.createElement("select");
      select.setAttribute("aria-label", head);
      select.append(new Option(`any ${head}`, ""), ...[...values].sort().map((v) => new Option(v)));
      bar.append(" ", select);
      return select;
    });
    const count = document.createElement("span");
    bar.append(" ", count);
    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits =
          words.every((word) => text.includes(word)) &&
          choices.every((select, column) => {
            if (!select || !select.value) return true;
            return row.cells[column].textContent.trim().split("/").includes(select.value);
          });
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${rows.length}`;
    };
    bar.addEventListener("input", show);
    show();
    const frame = table.closest(".md-typeset__scrollwrap") ?? table;
    frame.before(bar);
  }
});

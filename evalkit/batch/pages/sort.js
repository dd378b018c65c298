document.querySelectorAll("table.sortable").forEach(function (table) {
  var body = table.tBodies[0];
  table.querySelectorAll("th[data-kind]").forEach(function (head) {
    var column = Array.prototype.indexOf.call(head.parentNode.children, head);
    var button = head.querySelector("button");
    button.addEventListener("click", function () {
      var down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var rows = Array.prototype.slice.call(body.rows).map(function (row, place) {
        var cell = row.cells[column];
        var key = cell.getAttribute("data-sort");
        return { row: row, place: place, key: key === null ? cell.textContent.trim() : key };
      });
      rows.sort(function (a, b) {
        if (a.key === "" || b.key === "") {
          return (a.key === "") - (b.key === "") || a.place - b.place;
        }
        var order = head.getAttribute("data-kind") === "number"
          ? parseFloat(a.key) - parseFloat(b.key)
          : a.key.localeCompare(b.key, "zh");
        return (down ? -order : order) || a.place - b.place;
      });
      rows.forEach(function (item) { body.appendChild(item.row); });
    });
  });
});

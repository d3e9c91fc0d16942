"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // The table: a click on a heading sorts by it, another turns the order; rows without a value stay last.
  const table = document.querySelector(".comparison");
  const headings = all("thead th", table);
  const valueOf = (row, column) => {
    if (column === 0) return row.cells[0].textContent.trim().toLowerCase();
    const cell = row.classList.contains("failed") ? null : row.cells[column];
    return cell && cell.dataset.sort !== undefined ? Number(cell.dataset.sort) : null;
  };
  const sortBy = (column) => {
    const heading = headings[column];
    const first = heading.dataset.first || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    headings.forEach((one) => one.setAttribute("aria-sort", one === heading ? order : "none"));
    const sign = order === "ascending" ? 1 : -1;
    const rows = all("tbody tr", table).map((row) => [valueOf(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (a < b ? -1 : a > b ? 1 : 0);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => sortBy(column));
  });

  // Details are open on paper.
  addEventListener("beforeprint", () => all("details").forEach((one) => { one.open = true; }));

  const data = document.getElementById("decisions");
  if (!data) return;
  const decisions = JSON.parse(data.textContent);
  const tool = document.getElementById("limit-tool");

  // A value keeps to a limit, or does not; what was not measured keeps to none.
  const keeps = (criterion, place, limit) => {
    const value = criterion.values[place];
    return value !== null && (criterion.least ? value >= limit : value <= limit);
  };
  // By how much a limit is missed, in proportion to it.
  const excess = (value, limit) => {
    if (value === null) return Infinity;
    const smaller = Math.min(value, limit);
    return smaller > 0 ? Math.max(value, limit) / smaller - 1 : Infinity;
  };
  // Everything about a list of limits, null for none; the choice and its reasons are looked up.
  const margin = document.getElementById("margin");
  const recommend = (limits, at = decisions.margin) => {
    const found = decisions.at_margin[at];
    let kept = 0;
    let limited = 0;
    const missed = decisions.rows.map((_, place) =>
      decisions.criteria.map((criterion, turn) => limits[turn] !== null && !keeps(criterion, place, limits[turn])));
    limits.forEach((limit, turn) => { if (limit !== null) limited += 2 ** turn; });
    missed.forEach((misses, place) => { if (!misses.includes(true)) kept += 2 ** place; });
    if (kept) {
      const pair = found.choices[kept];
      return {
        chosen: found.pairs[pair][0],
        sentence: found.sentences[pair],
        warnings: found.warnings[pair],
        reasons: found.reasons[`${pair}:${limited}`],
        missed,
      };
    }
    const worst = missed.map((misses, place) => Math.max(...misses.map((is, turn) =>
      (is ? excess(decisions.criteria[turn].values[place], limits[turn]) : 0))));
    const nearest = worst.indexOf(Math.min(...worst));
    return { chosen: null, nearest: decisions.rows[nearest], sentence: decisions.none_qualifies[nearest], warnings: [], reasons: [], missed };
  };
  globalThis.showdownRecommend = recommend;

  const ranges = all("input[type=range]", tool);
  const numbers = all("input[type=number]", tool);
  const limitsNow = () => numbers.map((input) => (Number(input.value) > 0 ? Number(input.value) : null));
  const listed = (lines) => lines.map((line) => Object.assign(document.createElement("li"), { textContent: line }));
  const show = () => {
    const limits = limitsNow();
    const found = recommend(limits, Number(margin.value));
    document.getElementById("recommended").textContent = found.sentence;
    document.getElementById("reasons").replaceChildren(...listed([...found.warnings, ...found.reasons]));
    all("#kept tbody tr").forEach((row, place) => {
      const misses = found.missed[place];
      row.classList.toggle("taken", decisions.rows[place] === found.chosen);
      misses.forEach((is, turn) => row.cells[turn + 1].classList.toggle("missed", is));
      row.cells[misses.length + 1].textContent = misses.includes(true) ? "missed" : "kept";
    });
    const options = decisions.criteria.flatMap((criterion, turn) =>
      (limits[turn] === null ? [] : [`--${criterion.limit.replaceAll("_", "-")} ${limits[turn]}`]));
    if (Number(margin.value) !== decisions.margin) options.push(`--margin ${decisions.margins[margin.value]}`);
    document.getElementById("command").textContent = [decisions.command, ...options].join(" ");
    ranges.forEach((range, turn) => {
      range.setAttribute("aria-valuetext", limits[turn] === null ? "no limit" : `${limits[turn]} ${decisions.criteria[turn].unit}`);
    });
  };
  ranges.forEach((range, turn) => range.addEventListener("input", () => {
    const stops = decisions.criteria[turn].stops;
    numbers[turn].value = Number(range.value) < stops.length ? stops[range.value] : "";
    show();
  }));
  numbers.forEach((number, turn) => number.addEventListener("input", () => {
    const { stops, least } = decisions.criteria[turn];
    const limit = limitsNow()[turn];
    const at = limit === null ? -1 : stops.findIndex((stop) => (least ? stop <= limit : stop >= limit));
    ranges[turn].value = at < 0 ? stops.length : at;
    show();
  }));
  margin.addEventListener("change", show);
  document.getElementById("no-limits").addEventListener("click", () => {
    margin.value = decisions.margin;
    numbers.forEach((number, turn) => {
      number.value = "";
      ranges[turn].value = decisions.criteria[turn].stops.length;
    });
    show();
  });
  tool.hidden = false;
  show();
})();

// The list of jobs: the rows that are shown follow their jobs.

const EVERY_MS = 4000;
const LONGEST_MS = 60_000;
const ID = /\/jobs\/job\/([0-9a-f-]{36})\/change\//;
const table = document.getElementById("result_list");
const rows = new Map();

for (const row of table?.querySelectorAll("tr") ?? []) {
  const link = row.querySelector("a[href]");
  const found = link && ID.exec(link.href);
  if (found) rows.set(found[1], row);
}

const first = !location.search.includes("p=") ? rows.keys().next().value ?? "" : "";
let failures = 0;
let timer = 0;

function show(row, cells) {
  for (const [name, value] of Object.entries(cells)) {
    const cell = row.querySelector(`.field-${name}`);
    if (!cell) continue;
    if (name === "state") {
      if (cell.dataset.drawn !== value) cell.innerHTML = value; // the server's own label
      cell.dataset.drawn = value;
    } else if (cell.textContent.trim() !== value) {
      cell.textContent = value;
    }
  }
}

function tellNewer(count) {
  let note = document.getElementById("df-newer");
  if (!count || location.search) {
    note?.remove();
    return;
  }
  if (!note) {
    note = document.createElement("a");
    note.id = "df-newer";
    note.className = "df-newer df-link";
    note.href = location.pathname;
    note.setAttribute("role", "status");
    table.parentElement.before(note);
  }
  const many = count >= 100 ? "100 or more" : String(count);
  note.textContent = `${many} new ${count === 1 ? "job" : "jobs"}: show`;
}

async function ask() {
  const query = new URLSearchParams({ ids: [...rows.keys()].join(","), newest: first });
  try {
    const answer = await fetch(`${location.pathname}rows/?${query}`, {
      credentials: "same-origin",
      redirect: "manual",
      cache: "no-store",
    });
    if (answer.type === "opaqueredirect" || answer.status === 403) return; // signed out
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const told = await answer.json();
    for (const [id, cells] of Object.entries(told.jobs)) {
      if (rows.has(id)) show(rows.get(id), cells);
    }
    tellNewer(told.newer);
    failures = 0;
  } catch {
    failures += 1;
  }
  later();
}

function later() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(ask, Math.min(EVERY_MS * 2 ** failures, LONGEST_MS));
}

if (rows.size) {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
  later();
}

// What a page does more than without a script: keys, live progress, a live difference. Text only ever enters as text.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// Keys

const help = one("dialog");
const rows = all("[data-row]");
const current = () => rows.findIndex((row) => row.contains(document.activeElement));

function step(by) {
  const at = current();
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  const link = row && one("a, button", row);
  if (!link) return;
  link.focus();
  row.scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  r: () => (one("[data-retry]", rows[current()] || document) || document.body).focus(),
  u: () => one("[data-up]")?.click(),
  "/": () => one("[data-filter]")?.focus(),
  "?": () => help?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
  if (event.target.closest("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

for (const button of all("[data-help]")) {
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
}

// A form is sent once, however often its button is pressed

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of all("form[data-sent]")) delete form.dataset.sent;
});

// A job's progress: asked for each second until it has ended

const job = one("[data-job]");
const tones = ["busy", "good", "bad", "warn"];

function showProgress(found) {
  one("[data-bar]").max = Math.max(1, found.matched);
  one("[data-bar]").value = found.done;
  for (const cell of all("[data-number]")) cell.textContent = found[cell.dataset.number].toLocaleString("en");
  one("[data-said]").textContent = found.said;
  one("[data-state]").textContent = found.state;
  one("[data-state]").classList.remove(...tones);
  one("[data-state]").classList.add(found.tone);
  one("[data-ended]").textContent = found.ended;
  const failures = one("[data-failures]");
  failures.hidden = found.reasons.length === 0;
  one("tbody", failures).replaceChildren(
    ...found.reasons.map(([name, number]) =>
      element("tr", "", element("td", "", name), element("td", "number", number.toLocaleString("en")))),
  );
  if (found.state !== "running") for (const part of all("[data-running]")) part.hidden = true;
  return found.state === "running";
}

async function watch() {
  let more = true;
  try {
    const answer = await fetch(job.dataset.job, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    more = showProgress(await answer.json());
  } catch (error) {
    one("[data-said]").textContent = `The progress can't be read (${error.message}); trying again.`;
  }
  if (more) setTimeout(watch, 1000);
}

if (job) watch();

// What an edited payload changes: asked when typing rests

const editor = one("[data-edit]");
const signs = { "-": "minus", "+": "plus", " ": "same" };

function showDifference({ lines, verdict }) {
  one("[data-verdict]").textContent = verdict;
  const shown = lines.map(([sign, text]) =>
    sign === "…"
      ? element("div", "gap", element("span", "", "…"))
      : element("div", signs[sign], element("span", "", sign), element("span", "", text)));
  const box = element("div", "diff mono", ...shown);
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Difference of the payload");
  one("[data-difference]").replaceChildren(lines.length ? box : element("p", "empty", verdict));
}

if (editor) {
  let waiting = 0;
  let asked = 0;
  const ask = async () => {
    const turn = (asked += 1);
    try {
      const answer = await fetch(editor.dataset.edit, { method: "POST", body: new URLSearchParams(new FormData(editor)) });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const found = await answer.json();
      if (turn === asked) showDifference(found);
    } catch (error) {
      one("[data-verdict]").textContent = `no difference (${error.message})`;
    }
  };
  one("textarea", editor).addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 250);
  });
}

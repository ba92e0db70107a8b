"use strict";
// Keys, command palette, live refresh. Everything here has a way without it: links, buttons, forms.
document.documentElement.classList.add("scripted");

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const typing = (at) => at.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
const shown = (element) => element.getClientRects().length > 0;
const stored = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch { /* storage is switched off: nothing is remembered */ }
  return null;
};

/* keys: elements with data-key="t" or data-key="g q" are pressed by it; [data-row] are walked with j and k */
let before = "";
function act(element) {
  if (element.matches("input:not([type=submit]), textarea, select")) element.focus();
  else if (element.matches("summary")) {
    element.parentElement.open = true;
    const field = element.parentElement.querySelector("textarea, input:not([type=hidden]), select");
    (field || element).focus();
  } else element.click();
}
function walk(step) {
  const rows = all("[data-row]").filter(shown);
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? (step > 0 ? 0 : rows.length - 1) : now + step))];
  const target = next.matches("a, button, [tabindex]") ? next : next.querySelector("a, button, [tabindex]");
  target.focus();
  next.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    if (palette) { event.preventDefault(); openPalette(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
  if (stored("keys") === "off" || typing(event.target) || document.querySelector("dialog[open]")) return;
  const pressed = before ? `${before} ${event.key}` : event.key;
  before = "";
  const found = all("[data-key]").find((e) => e.dataset.key === pressed && shown(e));
  if (found) { event.preventDefault(); act(found); return; }
  if (pressed === "j" || pressed === "k") { event.preventDefault(); walk(pressed === "j" ? 1 : -1); return; }
  if (pressed === "g") { before = "g"; setTimeout(() => { before = ""; }, 1500); }
});
all("[data-keys-off]").forEach((box) => {
  box.checked = stored("keys") === "off";
  box.addEventListener("change", () => stored("keys", box.checked ? "off" : "on"));
});

/* command palette: the menu's links and what this page offers, after the combobox pattern of the ARIA guide */
const palette = document.getElementById("palette");
const search = document.getElementById("palette-search");
const list = document.getElementById("palette-list");
let commands = [];
function named(element) {
  const copy = element.cloneNode(true);
  all("kbd, .soft", copy).forEach((part) => part.remove());
  return (element.getAttribute("aria-label") || copy.textContent).trim().replace(/\s+/g, " ");
}
function openPalette() {
  if (palette.open) return;
  const seen = new Set();
  commands = all(".menu a, [data-key]").filter((e) => !palette.contains(e) && !seen.has(e) && seen.add(e) && shown(e))
    .map((element) => ({ text: named(element), key: element.dataset.key || "", run: () => act(element) }));
  search.value = "";
  offer();
  palette.showModal();
  search.focus();
}
function offer() {
  const asked = search.value.trim().toLowerCase();
  let fitting = commands.filter((c) => asked.split(/\s+/).every((word) => c.text.toLowerCase().includes(word)));
  if (/^\d{1,15}$/.test(asked)) {
    fitting = [{ text: list.dataset.case.replace("#", asked), key: "", run: () => location.assign(`/console/cases/${asked}`) }, ...fitting];
  }
  list.replaceChildren(...fitting.slice(0, 50).map((command, n) => {
    const option = document.createElement("li");
    option.role = "option";
    option.id = `palette-${n}`;
    option.append(Object.assign(document.createElement("span"), { textContent: command.text }));
    if (command.key) option.append(Object.assign(document.createElement("kbd"), { textContent: command.key }));
    option.addEventListener("click", () => run(command));
    option.command = command;
    return option;
  }));
  document.getElementById("palette-none").hidden = fitting.length > 0;
  choose(0);
}
function choose(n) {
  const options = all("[role=option]", list);
  options.forEach((option, at) => option.setAttribute("aria-selected", String(at === n)));
  if (options[n]) {
    search.setAttribute("aria-activedescendant", options[n].id);
    options[n].scrollIntoView({ block: "nearest" });
  } else search.removeAttribute("aria-activedescendant");
}
function run(command) { palette.close(); command.run(); }
if (palette) {
  all("[data-palette]").forEach((button) => button.addEventListener("click", openPalette));
  search.addEventListener("input", offer);
  search.addEventListener("keydown", (event) => {
    const options = all("[role=option]", list);
    const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const to = { ArrowDown: (now + 1) % options.length, ArrowUp: (now - 1 + options.length) % options.length, Home: 0, End: options.length - 1 }[event.key];
    if (to !== undefined && options.length && (event.key.startsWith("Arrow") || !search.value)) { event.preventDefault(); choose(to); }
    if (event.key === "Enter") { event.preventDefault(); if (options[now]) run(options[now].command); }
  });
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });
}

/* live refresh: <div data-live="15"> is replaced by its newer self; not while somebody works in it with a field */
all("[data-live]").forEach((first) => {
  let part = first, wait = Number(part.dataset.live) * 1000;
  const usual = wait;
  async function look() {
    const busy = document.hidden || document.querySelector("dialog[open]") || part.contains(document.activeElement) && typing(document.activeElement);
    if (!busy) {
      try {
        const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
        if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
        if (!answer.ok) throw new Error("status");
        const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
        if (made && made.innerHTML !== part.innerHTML) {
          const focus = part.contains(document.activeElement) ? document.activeElement.id : "";
          part.replaceWith(made);
          part = made;
          if (focus) document.getElementById(focus)?.focus();
          const told = document.getElementById(`${part.id}-state`);
          if (told && made.dataset.told !== told.textContent) told.textContent = made.dataset.told || "";
        }
        wait = usual;
      } catch { wait = Math.min(wait * 2, 120000); }
    }
    setTimeout(look, wait);
  }
  setTimeout(look, wait);
});

/* a form is sent once */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 5000);
});
window.addEventListener("pageshow", () => all("form").forEach((form) => delete form.dataset.sent));

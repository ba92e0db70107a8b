"use strict";
// A case: m goes to the next marked message, on this page or on the next that has one.
document.addEventListener("keydown", (event) => {
  if (event.key !== "m" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (stored("keys") === "off" || typing(event.target) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  const marked = all("[data-marked]");
  const now = document.activeElement.closest("[data-row]");
  const next = marked.find((line) => !now || now.compareDocumentPosition(line) & Node.DOCUMENT_POSITION_FOLLOWING);
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  else all("[data-beyond]")[0]?.click();
});

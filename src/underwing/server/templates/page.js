"use strict";
(() => {
  const list = document.getElementById("decisions");
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  const MOST = 200;
  let last = list.dataset.last, paused = false, wait = 2000;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    say(paused ? "Paused." : "Up to date.");
  });
  function say(text) { if (state.textContent !== text) state.textContent = text; }
  async function look() {
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch("/v1/recent?after=" + encodeURIComponent(last),
          { headers: { accept: "text/html" }, credentials: "same-origin" });
        if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
        if (!answer.ok) throw new Error("status");
        const text = await answer.text();
        const part = document.createElement("template");
        part.innerHTML = text;
        const count = part.content.querySelectorAll("li.decision").length;
        last = answer.headers.get("x-last") || last;
        if (count) {
          document.getElementById("empty")?.remove();
          list.prepend(part.content);
          while (list.children.length > MOST) list.lastElementChild.remove();
        }
        say(count ? count + (count === 1 ? " new decision." : " new decisions.") : "Up to date.");
        wait = 2000;
      } catch {
        say("The service does not answer; trying again.");
        wait = Math.min(wait * 2, 30000);
      }
    }
    setTimeout(look, wait);
  }
  setTimeout(look, wait);
})();

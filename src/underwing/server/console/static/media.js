"use strict";
// A file is shown plainly only while the pointer or Space or Enter holds the button. The picture goes to a canvas, never to a
// cache; letting go, leaving the page or the time running out clears it and tells the server.
for (const form of document.querySelectorAll("form[data-hold]")) {
  const button = form.querySelector("[data-holder]");
  const failed = form.querySelector("[data-failed]");
  const canvas = document.querySelector("canvas[data-still]");
  let turn = 0, token = "", timer = 0;

  const fields = () => new URLSearchParams(new FormData(form));
  const tell = (ended) => {
    const body = fields();
    body.set("token", ended);
    fetch(form.dataset.end, { method: "POST", body, keepalive: true });
  };
  const clear = () => {
    canvas.hidden = true;
    canvas.width = canvas.height = 1;
    button.classList.remove("held");
    document.querySelectorAll("[data-cover], .still img").forEach((cover) => { cover.hidden = false; });
  };
  async function begin() {
    if (button.classList.contains("held") || !form.reportValidity()) return;
    const mine = ++turn;
    button.classList.add("held");
    failed.hidden = true;
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body: fields(), headers: { accept: "image/jpeg" }, cache: "no-store" });
    } catch { answer = null; }
    const begun = answer?.headers.get("underwing-reveal") || "";
    if (!answer?.ok || !begun) {
      failed.hidden = false;
      if (mine === turn) clear();
      return;
    }
    const picture = await createImageBitmap(await answer.blob());
    if (mine !== turn) { tell(begun); return; }
    token = begun;
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
    document.querySelectorAll("[data-cover], .still img").forEach((cover) => { cover.hidden = true; });
    canvas.hidden = false;
    timer = setTimeout(release, Number(form.dataset.most) * 1000);
  }
  function release() {
    if (!button.classList.contains("held")) return;
    turn++;
    clearTimeout(timer);
    clear();
    if (token) tell(token);
    token = "";
  }
  button.addEventListener("pointerdown", (event) => { event.preventDefault(); button.focus(); button.setPointerCapture(event.pointerId); begin(); });
  for (const over of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(over, release);
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) begin();
  });
  button.addEventListener("keyup", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); release(); } });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("blur", release);
  window.addEventListener("pagehide", release);
  document.addEventListener("visibilitychange", () => { if (document.hidden) release(); });
}

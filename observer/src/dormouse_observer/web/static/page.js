// What is nicer with a script. Every page does all it does without one.
"use strict";

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  const search = document.getElementById("search");
  if (event.key === "/" && search && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

function offerToCopy(within) {
  for (const copied of within.querySelectorAll(".copied:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(copied.querySelector("code").textContent);
      button.textContent = "copied";
    });
    copied.append(button);
  }
}

document.addEventListener("DOMContentLoaded", () => offerToCopy(document));
document.addEventListener("htmx:load", (event) => offerToCopy(event.detail.elt));

// Following a file that changes: the server says when, and the page is asked for again.
const LEAST_PAUSE_MS = 1000;
const following = { isOn: true, isBusy: false, isBehind: false, seen: "", stream: null, button: null };

function selectorOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.hasAttribute("href")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  return element.matches("details[id] > summary") ? `${selectorOf(element.parentElement)} > summary` : null;
}

// What is marked as kept does not change, so it stays as somebody has unfolded it.
function exchangeMain(page) {
  const main = document.getElementById("main");
  const fresh = page.getElementById("main");
  const focused = document.activeElement;
  const where = main.contains(focused) ? selectorOf(focused) : null;
  for (const kept of fresh.querySelectorAll("[data-kept]")) {
    const here = document.getElementById(kept.id);
    if (here && here.hasAttribute("data-kept")) kept.replaceWith(here);
  }
  for (const folded of fresh.querySelectorAll("details[id]")) {
    const here = document.getElementById(folded.id);
    if (here) folded.open = here.open;
  }
  const said = fresh.querySelector(".said");
  const before = main.querySelector(".said");
  main.replaceChildren(...fresh.childNodes);
  document.title = page.title;
  htmx.process(main);
  offerToCopy(main);
  if (said && said.textContent !== before?.textContent) document.getElementById("news").textContent = said.textContent;
  if (where && document.activeElement !== focused) main.querySelector(where)?.focus({ preventScroll: true });
}

async function lookAgain() {
  if (!following.isOn || following.isBusy) {
    following.isBehind = true;
    return;
  }
  following.isBusy = true;
  following.isBehind = false;
  const began = performance.now();
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (following.isOn) exchangeMain(page);
    else following.isBehind = true;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the server has ended: what is shown is the last that was known
  }
  // A file that is written all the time must not keep the server busy.
  await new Promise((resolve) => setTimeout(resolve, Math.max(LEAST_PAUSE_MS, 4 * (performance.now() - began))));
  following.isBusy = false;
  if (following.isBehind && following.isOn) lookAgain();
}

function offerToPause() {
  if (following.button) return;
  following.button = document.createElement("button");
  following.button.type = "button";
  following.button.id = "following";
  const show = () => {
    following.button.textContent = following.isOn ? "pause" : "follow";
    following.button.title = following.isOn ? "The file changes, and this page with it" : "The file may have changed since";
  };
  following.button.addEventListener("click", () => {
    following.isOn = !following.isOn;
    show();
    if (following.isOn && following.isBehind) lookAgain();
  });
  show();
  document.querySelector(".readonly").after(following.button);
}

function follow() {
  const path = document.body.dataset.changes;
  if (!path || following.stream || document.hidden) return;
  following.stream = new EventSource(`${path}?seen=${encodeURIComponent(following.seen || document.body.dataset.seen)}`);
  following.stream.addEventListener("change", (event) => {
    following.seen = event.data;
    offerToPause();
    lookAgain();
  });
}

// A browser has few connections to one server: a page that nobody sees must not hold one.
function unfollow() {
  following.stream?.close();
  following.stream = null;
}

document.addEventListener("DOMContentLoaded", follow);
document.addEventListener("visibilitychange", () => (document.hidden ? unfollow() : follow()));
window.addEventListener("pagehide", unfollow);
window.addEventListener("pageshow", follow);

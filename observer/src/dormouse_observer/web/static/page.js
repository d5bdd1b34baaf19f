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

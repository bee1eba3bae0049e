"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  all(".tools, .copy, .choices").forEach((each) => { each.hidden = false; });

  const theme = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(theme.textContent) + 1) % themes.length];
    theme.textContent = next;
    if (next === "auto") { delete root.dataset.theme; } else { root.dataset.theme = next; }
  });

  const unfold = document.getElementById("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    all("details").forEach((each) => { each.open = open; });
    unfold.setAttribute("aria-pressed", String(open));
    unfold.textContent = open ? "fold all" : "unfold all";
  });

  all("[data-shows]").forEach((box) => box.addEventListener("change", () => {
    const within = box.closest(".prompts");
    within.querySelectorAll("[data-arm]").forEach((each) => {
      if (each.dataset.arm === box.dataset.shows) { each.hidden = !box.checked; }
    });
  }));
  all("[data-ids]").forEach((box) => box.addEventListener("change", () => {
    box.closest(".prompts").classList.toggle("ids", box.checked);
  }));

  const select = (pre) => {
    const range = document.createRange();
    range.selectNodeContents(pre);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  all(".copy").forEach((button) => button.addEventListener("click", async () => {
    const pre = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "copied";
    } catch {
      select(pre);  // where a browser refuses, one key is left to press
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  }));
})();

"use strict";
// Only conveniences: the page shows everything without this script too.
const root = document.documentElement;
const all = (selector) => [...document.querySelectorAll(selector)];

for (const element of all("[data-needs-script], [data-theme-button]")) element.hidden = false;

for (const button of all("[data-theme-button]")) {
  const themes = ["system", "dark", "light"];
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
    root.dataset.theme = next;
    button.textContent = `Colours: ${next}`;
  });
}

for (const box of all("[data-run-shown]")) {
  box.addEventListener("change", () => root.classList.toggle(`without-${box.dataset.runShown}`, !box.checked));
}

for (const box of all("[data-only-changed]")) {
  box.addEventListener("change", () => root.classList.toggle("only-changed", box.checked));
}

for (const button of all("[data-expand]")) {
  button.addEventListener("click", () => {
    const open = button.textContent === "Expand all";
    for (const details of all("details")) details.open = open;
    button.textContent = open ? "Collapse all" : "Expand all";
  });
}

// A link into a folded part unfolds it.
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", unfold);
if (location.hash) unfold();

async function copy(pre) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
    return true;
  } catch {
    // Without permission or a secure context, copy the selection. If that fails too, the text stays selected.
    getSelection().selectAllChildren(pre);
    return document.execCommand("copy");
  }
}

for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    button.textContent = (await copy(button.closest(".copyable").querySelector("pre"))) ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

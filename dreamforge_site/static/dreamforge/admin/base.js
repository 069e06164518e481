// What every page of the admin gets: landmarks, a way past the menu, and keys and names for the
// theme's controls that are made for the mouse alone.

(() => {
  "use strict";

  const NAMES = {
    dock_to_right: "Menu",
    close: "Close",
    search: "Search",
    tune: "Filters",
    filter_list: "Filters",
    more_vert: "More",
    more_horiz: "More",
    apps: "All applications",
  };

  function landmark() {
    const main = document.getElementById("main") || document.querySelector("#page > div");
    if (!main || document.querySelector("main, [role=main]")) return;
    main.setAttribute("role", "main");
    const start = document.getElementById("content") || main;
    start.id = start.id || "content";
    start.tabIndex = -1;
    const skip = document.createElement("a");
    skip.href = `#${start.id}`;
    skip.className = "df-skip";
    skip.textContent = "Skip to the content";
    skip.addEventListener("click", (event) => {
      event.preventDefault();
      start.focus();
    });
    document.body.prepend(skip);
    document.querySelector("#nav-sidebar-inner")?.setAttribute("aria-label", "Admin");
  }

  function symbolOf(element) {
    const symbol = element.classList.contains("material-symbols-outlined")
      ? element
      : element.querySelector(".material-symbols-outlined");
    return symbol ? symbol.textContent.trim() : "";
  }

  // A control of the theme that only a mouse can press becomes a button for keys and readers.
  function press(element) {
    if (element.matches("button, a[href], input, summary, label")) return;
    element.setAttribute("role", "button");
    if (!element.hasAttribute("tabindex")) element.tabIndex = 0;
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      element.click();
    });
  }

  function name(element) {
    if (element.getAttribute("aria-label") || element.title) return;
    const symbol = symbolOf(element);
    const words = element.textContent.replace(symbol, "").trim();
    if (!words && symbol) element.setAttribute("aria-label", NAMES[symbol] || symbol.replaceAll("_", " "));
  }

  // Tables keep words whole; one that is endless is broken where it stands.
  function breakEndless() {
    for (const cell of document.querySelectorAll("#content td, #content th")) {
      if (/\S{36}/.test(cell.textContent)) cell.classList.add("df-wrap");
    }
  }

  function repair() {
    landmark();
    breakEndless();
    const isControl = "[x-on\\:click], [\\@click]";
    for (const element of document.querySelectorAll(isControl)) {
      const isShade = !element.textContent.trim() && !element.querySelector("img");
      if (isShade || element.querySelector("a, button, input")) continue;
      press(element);
      name(element);
    }
    for (const element of document.querySelectorAll("a, button")) name(element);
    for (const symbol of document.querySelectorAll(".material-symbols-outlined")) {
      if (!symbol.matches("[role=button], a, button")) symbol.setAttribute("aria-hidden", "true");
    }
    // What scrolls must be reachable by keys.
    for (const box of document.querySelectorAll(".simplebar-content-wrapper")) {
      if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", "Scrollable");
      box.setAttribute("role", "group");
    }
    for (const field of document.querySelectorAll("input[type=checkbox].action-select")) {
      const row = field.closest("tr");
      const link = row && row.querySelector("th a, td a");
      if (!field.getAttribute("aria-label") && link) {
        field.setAttribute("aria-label", `Select ${link.textContent.trim()}`);
      }
    }
    for (const box of document.querySelectorAll("#content .overflow-auto, #content .overflow-x-auto")) {
      if (!box.hasAttribute("tabindex") && !box.querySelector("a, button, input")) box.tabIndex = 0;
    }
    const all = document.getElementById("action-toggle");
    if (all && !all.getAttribute("aria-label")) all.setAttribute("aria-label", "Select all on this page");
  }

  document.addEventListener("DOMContentLoaded", repair);
  // The theme's scrollers make their boxes when everything has loaded.
  window.addEventListener("load", repair);
})();

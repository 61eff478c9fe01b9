// Keyboard: Ctrl-K finds; j and k walk a list, Enter opens, x marks. Everything also works without this file.
(() => {
  document.documentElement.classList.add("scripted");
  document.addEventListener("change", (e) => e.target.matches("[data-submits]") && e.target.form.requestSubmit());
  // The palette: arrows walk what was found, Enter opens it, Escape leaves.
  const find = document.getElementById("find");
  const palette = document.getElementById("palette");
  let chosen = -1;
  palette?.addEventListener("htmx:afterSettle", () => { chosen = -1; });
  find?.addEventListener("keydown", (e) => {
    const all = [...palette.querySelectorAll("li")];
    if (e.key === "Escape") { palette.replaceChildren(); find.blur(); }
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      chosen = Math.max(0, Math.min(all.length - 1, chosen + (e.key === "ArrowDown" ? 1 : -1)));
      all.forEach((li, i) => li.classList.toggle("at", i === chosen));
      all[chosen]?.scrollIntoView({ block: "nearest" });
    }
    if (e.key === "Enter" && chosen >= 0) { e.preventDefault(); all[chosen].querySelector("a")?.click(); }
  });
  const typing = (e) => e.target.closest("input, textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("[data-list] tbody tr, ol[data-list] > li")];
  let at = -1;
  const go = (to) => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, to));
    all.forEach((row, i) => row.classList.toggle("at", i === at));
    const link = all[at].querySelector("a");
    (link || all[at]).focus();
    all[at].scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key === "k") {
      e.preventDefault();
      document.getElementById("find")?.focus();
    } else if (!typing(e) && !e.ctrlKey && !e.metaKey && !e.altKey) {
      if (e.key === "j") go(at + 1);
      if (e.key === "k") go(at - 1);
      if (e.key === "x" && at >= 0) rows()[at].querySelector("input[type=checkbox]")?.click();
    }
  });
  // Charts: their script is fetched once, and only where there is one; until then the pictures stand.
  let fetching;
  const draw = () => {
    const first = document.querySelector("figure[data-chart^='/']:not([data-begun])");
    if (!first) return;
    fetching ??= new Promise((done, failed) => {
      document.head.append(Object.assign(document.createElement("script"),
        { src: first.dataset.chart, onload: done, onerror: failed }));
    });
    fetching.then(() => window.pilothouseCharts()).catch(() => {});
  };
  draw();
  document.addEventListener("htmx:afterSettle", draw);
  // Long work tells how far it is by itself; when it is over the page is read anew. Nothing moves while a sheet is open.
  const works = () => document.querySelector("[data-works]");
  document.addEventListener("htmx:beforeRequest", (e) => {
    if (e.target === works() && document.querySelector(":popover-open")) e.preventDefault();
  });
  document.addEventListener("htmx:afterSettle", (e) => { if (e.detail?.target?.id === "work" && !works()) location.reload(); });
  if (works() && !window.htmx) setTimeout(() => location.reload(), 3000);
  // Copied AI text takes its label along.
  document.addEventListener("copy", (e) => {
    const from = document.getSelection()?.anchorNode?.parentElement?.closest("[data-ai-assisted]");
    if (!from) return;
    e.clipboardData.setData("text/plain", `${document.getSelection()}\n\n[${from.dataset.aiAssisted}]`);
    e.preventDefault();
  });
})();

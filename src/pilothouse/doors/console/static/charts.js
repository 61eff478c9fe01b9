// Draws the page's charts where they stand: tooltips, zoom, a rectangle that filters, a click that opens.
// Bundled with Vega; `vegaEmbed` and `THEME` are in scope. Expressions are interpreted, never compiled (`ast`).
const NARROW = 560;
const dark = matchMedia("(prefers-color-scheme: dark)");
const views = new Map();

const narrowed = (spec) => ({
  ...spec,
  params: spec.params.map((p) => (p.name === "narrow" ? { ...p, value: true } : p)),
});

// What the address says of the rectangle stands in the form; the drawing follows the form.
const brushOf = (form) => {
  const field = (name) => ["from", "to"].map((end) => form.elements[`${name}_${end}`]);
  const read = (inputs) => inputs.map((i) => (i.value === "" ? Number(i.dataset.open) : Number(i.value)));
  const [x, y] = [form.dataset.x, form.dataset.y].map(field);
  return [...x, ...y].some((i) => i.value !== "") ? { x: read(x), y: read(y) } : undefined;
};
const withBrush = (spec, value) => ({
  ...spec,
  layer: spec.layer.map((layer) => (layer.params ? {
    ...layer, params: layer.params.map((p) => (p.name === "brush" ? { ...p, value } : p)),
  } : layer)),
});

const fill = (form, held) => {
  for (const name of [form.dataset.x, form.dataset.y]) {
    ["from", "to"].forEach((end, i) => {
      const input = form.elements[`${name}_${end}`];
      const step = Number(input.step) || 1;
      const span = held[name] && [Math.min(...held[name]), Math.max(...held[name])];
      input.value = span ? String(Number((Math.round(span[i] / step) * step).toFixed(2))) : "";
    });
  }
};

async function specOf(figure) {
  const carried = figure.querySelector("script[type='application/json']");
  if (carried) return JSON.parse(carried.textContent);
  const answer = await fetch(figure.dataset.spec);
  if (!answer.ok) throw new Error(`no specification: ${answer.status}`);
  return answer.json();
}

async function draw(figure) {
  const spec = await specOf(figure);
  const place = figure.querySelector(".chart-live");
  place.hidden = false;
  const width = Math.min(place.clientWidth || 640, 860);
  const form = document.getElementById(figure.dataset.brushes || "");
  let fitted = { ...(width < NARROW ? narrowed(spec) : spec), width, config: THEME[dark.matches ? "dark" : "light"] };
  if (form) fitted = withBrush(fitted, brushOf(form));
  views.get(figure)?.finalize();
  const result = await vegaEmbed(place, fitted, {
    actions: false, ast: true, defaultStyle: false, renderer: "svg", logLevel: 1, tooltip: { disableDefaultStyle: true },
  });
  views.set(figure, result);
  place.querySelector("svg")?.setAttribute("aria-hidden", "true"); // its place says it in words, its table in numbers
  figure.dataset.drawn = String(width);
  result.view.addEventListener("click", (event, item) => {
    const to = item?.datum?.href;
    if (typeof to === "string" && /^\/(?!\/)/.test(to)) location.assign(to);
  });
  if (form) listen(figure, form, result.view);
}

function listen(figure, form, view) {
  let dragged;
  let filled = brushOf(form) ? "" : "{}";
  view.addSignalListener("brush", (_, held) => { dragged = held; });
  const settle = () => {
    if (dragged === undefined) return;
    const said = JSON.stringify(dragged);
    if (said !== filled) {
      filled = said;
      fill(form, dragged);
      form.requestSubmit();
    }
    dragged = undefined;
  };
  // The drag ends wherever the pointer is let go; Vega hears of it first.
  figure.onpointerdown = () => addEventListener("pointerup", () => setTimeout(settle, 60), { once: true });
  form.onchange = () => draw(figure);
}

const fail = (figure) => {
  figure.querySelector(".chart-live").hidden = true;
  figure.removeAttribute("data-drawn");
};
const begin = (figure) => {
  if (figure.dataset.begun) return;
  figure.dataset.begun = "yes";
  draw(figure).catch((problem) => { fail(figure); console.error(problem); });
  new ResizeObserver(() => {
    const width = Math.min(figure.clientWidth, 860);
    if (figure.dataset.drawn && Math.abs(width - Number(figure.dataset.drawn)) > 8) draw(figure).catch(() => fail(figure));
  }).observe(figure);
};

window.pilothouseCharts = () => document.querySelectorAll("figure[data-chart^='/']").forEach(begin);
dark.addEventListener("change", () => views.forEach((_, figure) => figure.isConnected && draw(figure)));
document.addEventListener("htmx:beforeSwap", () => {
  for (const [figure, held] of views) {
    if (!figure.isConnected) { held.finalize(); views.delete(figure); }
  }
});

// Puts a draft beside any text field of another page. It fills the field and labels it; sending stays with the person.
//
//   <script src="https://HOST/assist.js" data-use-case="complaint-drafts"
//           data-for="#reply" data-ask-from="#complaint"></script>
//
// data-for: the field (textarea, input or contenteditable); several matches get a button each.
// data-ask-from: where the question stands; without it the field's own text is the question.
// The key: window.pilothouseKey (a text, or a function that returns one or a promise of one), else the element that
// data-key-from names, else data-key. Fields that appear later: window.pilothouseAttach(element).
(() => {
  const script = document.currentScript;
  const options = script.dataset;
  const base = new URL("./", script.src);
  const LABEL = "AI-assisted";
  const WAIT_MS = 125000;
  const attached = new WeakSet();

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { display: block; margin: 0.35rem 0; font: 14px/1.45 system-ui, sans-serif; color: #16191d; }
    .row { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
    .row + .row { margin-top: 0.35rem; }
    .row[hidden] { display: none; }
    button { font: inherit; min-height: 28px; padding: 0.15rem 0.7rem; border: 1px solid #8a939b; border-radius: 4px;
      background: #fff; color: inherit; cursor: pointer; }
    button:focus-visible, a:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
    button[aria-disabled="true"] { color: #535b63; cursor: progress; }
    button[aria-pressed="true"] { background: #0072b2; border-color: #0072b2; color: #fff; }
    .label { font-weight: 600; }
    .refused { color: #8f2d00; }
    a { color: #00568a; }
    @media (prefers-color-scheme: dark) {
      :host { color: #eceff1; }
      button { background: #22272c; border-color: #6d767e; }
      button[aria-disabled="true"] { color: #aab3bb; }
      .refused { color: #ffb38a; }
      a { color: #7cc4ee; }
    }`);

  const made = (name, text, facts = {}) => Object.assign(document.createElement(name), { textContent: text, ...facts });
  const button = (text, act) => {
    const it = made("button", text, { type: "button" });
    it.addEventListener("click", act);
    return it;
  };

  const isPlain = (field) => field instanceof HTMLTextAreaElement || field instanceof HTMLInputElement;
  const textOf = (field) => (isPlain(field) || field instanceof HTMLSelectElement ? field.value : field.innerText) || "";

  // Frameworks watch the setter they put on the element, so the one below it is used and the change is told.
  const write = (field, text) => {
    if (isPlain(field)) {
      const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
      Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, text);
    } else {
      field.replaceChildren(...text.split("\n").flatMap((line, n) =>
        n ? [document.createElement("br"), document.createTextNode(line)] : [document.createTextNode(line)]));
    }
    field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertReplacementText" }));
  };

  const key = async () => {
    const given = window.pilothouseKey;
    const named = options.keyFrom && document.querySelector(options.keyFrom);
    const found = typeof given === "function" ? await given()
      : given || (named ? named.value || named.content || named.textContent : options.key);
    if (!found) throw new Error("This page gives no key to ask with. Tell whoever runs it.");
    return String(found).trim();
  };

  // Returns what the server says; throws its refusal in words that a person can act on.
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${await key()}` };
    if (body) headers["content-type"] = "application/json";
    const response = await fetch(new URL(path, base), {
      method, headers, body: body && JSON.stringify(body), mode: "cors", credentials: "omit",
      referrerPolicy: "no-referrer", signal: AbortSignal.timeout(WAIT_MS),
    }).catch(() => { throw new Error("Pilothouse cannot be reached from this page. Try again in a minute."); });
    const said = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(said.title || `Refused (${response.status}).`);
    return said;
  };

  const attach = (field) => {
    if (attached.has(field)) return;
    attached.add(field);
    const host = document.createElement("pilothouse-assist");
    const root = host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];

    let busy = false, before = "";
    const ask = button(options.label || "Draft with AI", () => work(draft));
    const status = made("span", "", { role: "status" });
    const waiting = made("span", "", { className: "row", hidden: true });
    const after = made("div", "", { className: "row", hidden: true });
    const row = made("div", "", { className: "row" });
    row.append(ask, status, waiting);
    root.append(row, after);

    const say = (text, refused = false) => {
      status.className = refused ? "refused" : "";
      status.textContent = text;
    };

    // One thing at a time; what goes wrong is said and the field stays as it is.
    const work = async (act) => {
      if (busy) return;
      busy = true;
      ask.setAttribute("aria-disabled", "true");
      try {
        await act();
      } catch (refusal) {
        say(refusal.message, true);
      } finally {
        busy = false;
        ask.removeAttribute("aria-disabled");
      }
    };

    const draft = async () => {
      const from = options.askFrom ? document.querySelector(options.askFrom) : field;
      const text = from ? textOf(from).trim() : "";
      if (!text) throw new Error("There is nothing to ask about yet. Write it first.");
      waiting.hidden = true;
      say("Asking…");
      show(await call("POST", "api/v1/answers", { use_case: options.useCase, text }));
    };

    // The label below a draft stays for as long as the draft does, whatever a later question comes to.
    const show = (answer) => {
      const id = encodeURIComponent(answer.interaction_id);
      const receipt = () => made("a", "Receipt", {
        href: new URL(`answers/${id}`, base).href, target: "_blank", rel: "noopener" });
      if (answer.status === "held") {
        const again = button("Look again", () => work(async () => show(await call("GET", `api/v1/answers/${id}`))));
        waiting.replaceChildren(again, receipt());
        waiting.hidden = false;
        return say("A person checks this answer first. Your text is unchanged.");
      }
      waiting.hidden = true;
      if (answer.status !== "final") return say("This was not answered. Your text is unchanged.", true);
      if (!answer.answered) {
        waiting.replaceChildren(receipt());
        waiting.hidden = false;
        return say(`No draft: ${answer.text}`);
      }
      before = field.dataset.aiAssisted ? before : textOf(field);
      write(field, answer.text);
      field.dataset.aiAssisted = `${LABEL}, receipt ${answer.interaction_id}`;
      after.replaceChildren(made("span", LABEL, { className: "label" }), ...thumbs(id), undo(), receipt());
      after.hidden = false;
      say("Draft ready. Read it before you send it.");
    };

    const undo = () => button("Put my text back", () => {
      write(field, before);
      delete field.dataset.aiAssisted;
      after.hidden = true;
      say("Your text is back.");
      field.focus();
    });

    const thumbs = (id) => {
      const rated = (useful) => work(async () => {
        await call("POST", `api/v1/answers/${id}/rating`, { useful });
        up.setAttribute("aria-pressed", String(useful));
        down.setAttribute("aria-pressed", String(!useful));
        say("Thank you: your rating is recorded.");
      });
      const up = button("Useful", () => rated(true)), down = button("Not useful", () => rated(false));
      for (const it of [up, down]) it.setAttribute("aria-pressed", "false");
      return [up, down];
    };

    field.after(host);
  };

  const begin = () => {
    if (options.for) document.querySelectorAll(options.for).forEach(attach);
  };
  window.pilothouseAttach = attach;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();

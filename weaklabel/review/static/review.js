"use strict";
/* The page works as plain forms; this adds keys, dragging, and answers without a reload. */
(() => {
  const page = document.getElementById("page");
  const help = document.getElementById("help");
  const shortcuts = document.getElementById("shortcuts");
  let span = null;    // the item's extent, or the one being added: tokens, both ends included
  let original = null;
  let adding = null;
  let busy = false;

  const form = () => page.querySelector("#decide");
  const field = (name) => form().elements[name];
  const tokens = () => [...page.querySelectorAll("#text .t")];
  const numbers = () => tokens().map((t) => Number(t.dataset.i));

  function begin() {
    span = original = adding = null;
    const main = page.querySelector("main.columns");
    if (main && main.dataset.kind === "spans") {
      span = { start: Number(field("start").value), end: Number(field("end").value) };
      original = { ...span };
      paint();
    }
    const focus = page.querySelector(".f");
    if (focus) focus.scrollIntoView({ block: "nearest" });
  }

  function paint() {
    for (const t of tokens()) {
      const i = Number(t.dataset.i);
      mark(t, "f", span, i);
      mark(t, "new", adding, i);
    }
    const moved = span.start !== original.start || span.end !== original.end;
    const save = page.querySelector("#save");
    save.hidden = !moved;
    page.querySelector("#moved").textContent = textOf(span);
    for (const b of page.querySelectorAll(".answers button.primary")) if (b !== save) b.classList.toggle("held", moved);
    field("start").value = span.start;
    field("end").value = span.end;
    page.querySelector("#add").setAttribute("aria-pressed", String(adding !== null));
  }

  function mark(token, name, extent, i) {
    const inside = extent !== null && i >= extent.start && i <= extent.end;
    token.classList.toggle(name, inside);
    if (name === "f" || extent !== null) {
      token.classList.toggle("start", inside && i === extent.start);
      token.classList.toggle("end", inside && i === extent.end);
    }
  }

  function textOf(extent) {
    return tokens().filter((t) => Number(t.dataset.i) >= extent.start && Number(t.dataset.i) <= extent.end)
      .map((t) => t.textContent).join(" ");
  }

  function say(text) { page.querySelector("#note").textContent = text; }

  function move(end, by) {
    if (!span) return;
    const extent = adding || span;
    const all = numbers();
    const value = extent[end] + by;
    if (value < all[0] || value > all[all.length - 1]) return;
    if (adding && end === "end" && by < 0 && value < extent.start) extent.start = value;
    if (end === "start" ? value > extent.end : value < extent.start) return;
    extent[end] = value;
    paint();
    say("Span: " + textOf(extent));
  }

  function add() {
    if (!span) return;
    const all = numbers();
    const at = Math.min(span.end + 1, all[all.length - 1]);
    adding = adding ? null : { start: at, end: at };
    paint();
    say(adding ? "New span: arrows move it, a digit labels it" : "");
  }

  function give(button) {
    const label = button.dataset.label;
    if (adding) return keep(label, button.dataset.colour);
    submit(original && (span.start !== original.start || span.end !== original.end) ? "adjust" : "relabel", label);
  }

  function keep(label, colour) {
    const li = document.createElement("li");
    const value = `${adding.start}:${adding.end}:${label}`;
    const hidden = document.createElement("input");
    hidden.type = "hidden"; hidden.name = "add"; hidden.value = value;
    const tag = document.createElement("span");
    tag.className = `tag c${colour}`; tag.textContent = label;
    const drop = document.createElement("button");
    drop.type = "button"; drop.textContent = "×"; drop.setAttribute("aria-label", "Remove " + textOf(adding));
    drop.addEventListener("click", () => li.remove());
    li.append(hidden, textOf(adding) + " ", tag, " ", drop);
    page.querySelector("#added").append(li);
    adding = null;
    paint();
    say("Added; it is saved with your answer");
  }

  async function submit(action, label) {
    if (busy) return;
    const target = form();
    const body = new URLSearchParams(new FormData(target));
    body.set("action", action);
    if (label) body.set("label", label);
    else if (action === "adjust") {
      const chosen = page.querySelector(".choose[aria-pressed=true]") || page.querySelector(".choose");
      body.set("label", chosen.dataset.label);
    }
    await swap(target.getAttribute("action"), { method: "POST", body });
  }

  async function swap(address, options = {}) {
    busy = true;
    try {
      const answer = await fetch(address, { ...options, headers: { "x-fragment": "1" }, credentials: "same-origin" });
      const text = await answer.text();
      if (!answer.ok) { say("Not saved: " + problem(text)); return; }
      page.innerHTML = text;
      begin();
      const main = document.getElementById("main");
      main.tabIndex = -1;
      main.focus({ preventScroll: true });
    } catch {
      say("Not saved: the server cannot be reached");
    } finally {
      busy = false;
    }
  }

  function problem(html) {
    const found = new DOMParser().parseFromString(html, "text/html").querySelector("main p");
    return found ? found.textContent : html.slice(0, 200);
  }

  page.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(event.submitter ? event.submitter.value : primary()?.value);
  });

  page.addEventListener("click", (event) => {
    const at = event.target.closest("button, a");
    if (!at) return;
    if (at.dataset.move) { const [end, by] = at.dataset.move.split(":"); move(end, Number(by)); }
    else if (at.dataset.label) give(at);
    else if (at.id === "add") add();
    else if (at.id === "keys") help.showModal();
    else if (at.matches("a[data-key=j]")) { event.preventDefault(); swap(at.href); }
  });

  function primary() {
    const save = page.querySelector("#save");
    if (save && !save.hidden) return save;
    return page.querySelector(".answers button.primary:not(#save)") || page.querySelector(".answers button:not([hidden])");
  }

  document.addEventListener("keydown", (event) => {
    if (help.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at.matches("textarea, select, input:not([type=checkbox])")) {
      if (event.key === "Escape") at.blur();
      return;
    }
    if (!form()) return;
    if (event.key === "Escape" && adding) { adding = null; paint(); return; }
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (!span) return;
      event.preventDefault();
      const by = event.key === "ArrowLeft" ? -1 : 1;
      if (adding && !event.shiftKey) slide(by);
      else move(event.shiftKey && !adding ? "start" : "end", by);
      return;
    }
    if (event.key === "Enter") {
      if (at.matches("button, a, input")) return;
      event.preventDefault();
      const button = primary();
      if (button) submit(button.value);
      return;
    }
    if (!shortcuts.checked) return;
    if (event.key === "?") { help.showModal(); return; }
    if (/^[1-9]$/.test(event.key)) {
      const chosen = page.querySelector(`[data-digit="${event.key}"]`);
      if (chosen) { event.preventDefault(); chosen.matches("input") ? chosen.click() : give(chosen); }
      return;
    }
    const key = page.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!key || key.hidden) return;
    event.preventDefault();
    if (key.matches("textarea")) key.focus();
    else key.click();
  });

  function slide(by) {
    const all = numbers();
    if (adding.start + by < all[0] || adding.end + by > all[all.length - 1]) return;
    adding.start += by;
    adding.end += by;
    paint();
    say("Span: " + textOf(adding));
  }

  /* dragging: at an end of the item's span it moves that end, elsewhere it draws a new span */
  let drag = null;
  page.addEventListener("pointerdown", (event) => {
    const token = event.target.closest("#text .t");
    if (!token || !span || event.button !== 0) return;
    const i = Number(token.dataset.i);
    if (token.classList.contains("f") && (i === span.start || i === span.end)) {
      const box = token.getBoundingClientRect();
      const left = event.clientX < box.left + box.width / 2;
      drag = span.start === span.end ? (left ? "start" : "end") : i === span.start ? "start" : "end";
    } else {
      drag = "new";
      adding = { start: i, end: i, from: i };
    }
    event.preventDefault();
    paint();
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const token = under && under.closest("#text .t");
    if (!token) return;
    const i = Number(token.dataset.i);
    if (drag === "new") { adding.start = Math.min(adding.from, i); adding.end = Math.max(adding.from, i); }
    else if (drag === "start" && i <= span.end) span.start = i;
    else if (drag === "end" && i >= span.start) span.end = i;
    paint();
  });
  document.addEventListener("pointerup", () => {
    if (drag === "new") say("New span: a digit or a label's button labels it");
    drag = null;
  });

  try {
    shortcuts.checked = localStorage.getItem("weaklabel-keys") !== "off";
    shortcuts.addEventListener("change", () => localStorage.setItem("weaklabel-keys", shortcuts.checked ? "on" : "off"));
  } catch { /* storage may be forbidden; the keys then stay on */ }
  begin();
})();

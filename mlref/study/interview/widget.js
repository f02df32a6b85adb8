// The drill in a notebook. It shows `view`, which Python makes, and sends back what is typed and
// ticked; nothing is decided here. All text goes in as text, never as HTML.

const SAVE_DELAY_MS = 1000;
const ANSWER_TIMEOUT_MS = 8000;

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((each) => each !== null && each !== ""));
  return node;
}

function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// What is typed stands in the tab's own storage until Python has it, in case the page goes first.
const unsaved = {
  key: (card) => `mlref-drill-${card}`,
  get(card) {
    try {
      return JSON.parse(window.sessionStorage.getItem(this.key(card)));
    } catch {
      return null;
    }
  },
  // What would be lost: a text with words in it that differs from the one that Python has.
  beside(card, text) {
    const copy = this.get(card);
    return copy !== null && copy.text !== text && copy.text.trim() ? copy : null;
  },
  put(card, value) {
    try {
      if (value === null) window.sessionStorage.removeItem(this.key(card));
      else window.sessionStorage.setItem(this.key(card), JSON.stringify(value));
    } catch {
      // without storage, the text is kept a second later by Python
    }
  },
};

function render({ model, el }) {
  const root = make("section", { class: "mlref-drill" });
  // Keys that are pressed here are not the notebook's shortcuts.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(root);
  let step = null;
  let serial = 0;
  let sent = 0; // the serial of the last message that has a text
  let leave = () => {};
  let flush = () => {};

  const view = () => model.get("view");
  const named = (...parts) => ["mlref-drill", view().card, ...parts].join("-");

  function send(kind, values = {}) {
    serial = Math.max(serial, view().saved) + 1;
    model.send({ kind, serial, ...values });
    return serial;
  }

  function button(name, text, action, main = false) {
    const node = make("button", { id: named(name), type: "button", textContent: text });
    node.className = main ? "mlref-main" : "";
    node.addEventListener("click", action);
    return node;
  }

  function status() {
    return make("p", { id: named("status"), class: "mlref-status", role: "status" });
  }

  function say(text, wrong = false) {
    const node = root.querySelector(".mlref-status");
    if (!node || node.textContent === text) return;
    node.textContent = text;
    node.classList.toggle("mlref-wrong", wrong);
  }

  // The kept text is not the one on which the tab's text was built: the learner takes one of them.
  function choosing(now, copy) {
    const take = (value) => {
      unsaved.put(now.card, value);
      step = undefined; // show it anew
      show();
    };
    const offer = (name, title, each, value, action) => [
      make("h4", { textContent: `${title} (${clockText(each.seconds)})` }),
      make("p", { id: named(name, "text"), class: "mlref-said", textContent: each.text || "(nothing)" }),
      make("div", { class: "mlref-row" }, button(name, action, () => take(value))),
    ];
    return [
      make("p", { id: named("two"), textContent: "There are two texts of this answer. Take one; the other is dropped." }),
      ...offer("take-tab", "What this tab holds, not kept in time", copy, { ...copy, base: now.text }, "Go on with this tab's text"),
      ...offer("take-kept", "What is kept", now, null, "Go on with the kept text"),
    ];
  }

  function typing(now) {
    const copy = unsaved.get(now.card);
    const isNewer = copy !== null && copy.base === now.text;
    if (!isNewer && unsaved.beside(now.card, now.text)) return choosing(now, copy);
    const draft = isNewer ? copy : { text: now.text, seconds: now.seconds };
    let started = null;
    let saving = null;
    let waiting = null;
    sent = 0; // what was kept before is not this answer
    const seconds = () => draft.seconds + (started === null ? 0 : (performance.now() - started) / 1000);
    const clock = make("span", { id: named("clock"), class: "mlref-clock", role: "timer" });
    const box = make("textarea", { id: named("answer"), rows: 10, value: draft.text, spellcheck: true });

    function tick() {
      const over = seconds() > now.limit_s ? ", over the time" : "";
      clock.textContent = `${clockText(seconds())} of ${clockText(now.limit_s)}${over}`;
    }
    function save() {
      window.clearTimeout(saving);
      saving = null;
      sent = send("typed", { text: box.value, seconds: seconds() });
      window.clearTimeout(waiting);
      waiting = window.setTimeout(() => {
        if (view().saved < sent) {
          say("Not kept: the kernel is busy or gone. Your text stays here; run the notebook again if the kernel was restarted.", true);
        }
      }, ANSWER_TIMEOUT_MS);
    }
    box.addEventListener("input", () => {
      started ??= performance.now();
      unsaved.put(now.card, { base: view().text, text: box.value, seconds: seconds() });
      saving ??= window.setTimeout(save, SAVE_DELAY_MS);
    });
    function done() {
      window.clearTimeout(saving);
      saving = null;
      sent = send("done", { text: box.value, seconds: seconds() });
      say("Comparing with the rubric ...");
    }
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        done();
      }
    });
    flush = () => {
      if (saving !== null) save();
    };
    const ticking = window.setInterval(tick, 500);
    leave = () => {
      window.clearInterval(ticking);
      window.clearTimeout(saving);
      window.clearTimeout(waiting);
      flush = () => {};
    };
    tick();
    if (isNewer) saving = window.setTimeout(save, 0);
    return [
      now.about && make("p", { class: "mlref-note", textContent: now.about }),
      make(
        "label",
        { class: "mlref-field" },
        make("span", { class: "mlref-row" }, make("span", { textContent: "Your answer, as you would say it" }), clock),
        box,
      ),
      make(
        "div",
        { class: "mlref-row" },
        button("done", "Done: compare with the rubric", done, true),
        make("span", { class: "mlref-note", textContent: "or Ctrl+Enter. The clock starts with the first key." }),
      ),
    ];
  }

  function heard(text) {
    return text && make("span", { class: "mlref-note", textContent: `heard: ${text}` });
  }

  function choice(id, each, flag, name) {
    const box = make("input", { id, type: "checkbox", checked: each.on });
    box.addEventListener("change", () => send("tick", { id: each.id, flag, on: box.checked }));
    const weight = each.weight > 1 ? ` (counts ${each.weight} times)` : "";
    return make(
      "li",
      {},
      make(
        "label",
        { class: "mlref-choice" },
        box,
        make("span", { class: "mlref-name", textContent: name }),
        make(
          "span",
          { class: "mlref-text" },
          make("span", { textContent: `${flag ? "✗ " : ""}${each.text}${weight}` }),
          heard(each.heard),
          each.weak ? make("span", { class: "mlref-note", textContent: "you missed this one before" }) : "",
          each.correction ? make("span", { class: "mlref-right", textContent: `✓ ${each.correction}` }) : "",
        ),
      ),
    );
  }

  function group(name, legend, note, items) {
    return make(
      "fieldset",
      { id: named(name) },
      make("legend", { textContent: legend }),
      note ? make("p", { class: "mlref-note", textContent: note }) : "",
      make("ul", {}, ...items),
    );
  }

  function answer(pieces) {
    const text = make("p", { id: named("shown"), class: "mlref-said" });
    for (const piece of pieces) {
      if (!piece.heard) text.append(piece.text);
      else {
        const kind = /[a-z]/.test(piece.heard) ? "mlref-flag" : ""; // red flags have letters
        text.append(make("mark", { class: kind, textContent: piece.text, title: `heard for ${piece.heard}` }));
      }
    }
    if (!text.textContent.trim()) text.textContent = "(nothing)";
    return text;
  }

  // A text that stayed in the tab while another one was finished: shown until it is thrown away.
  function leftover(now) {
    const copy = unsaved.beside(now.card, now.text);
    if (copy === null) {
      if (!now.problem) unsaved.put(now.card, null);
      return "";
    }
    const box = make(
      "details",
      { id: named("leftover") },
      make("summary", { textContent: "This tab holds another text of the answer, which was not kept" }),
      make("p", { class: "mlref-said", textContent: copy.text }),
    );
    const drop = () => {
      unsaved.put(now.card, null);
      box.remove();
    };
    box.append(make("div", { class: "mlref-row" }, button("drop", "Throw it away", drop)));
    return box;
  }

  function confirming(now) {
    const letters = "abcdefghijklmnopqrstuvwxyz";
    const points = now.points.map((each, index) => choice(named("point", each.id), each, false, `${index + 1}`));
    const flags = now.flags.map((each, index) => choice(named("flag", each.id), each, true, letters[index]));
    return [
      make("h4", { textContent: `Your answer (${now.length})` }),
      answer(now.pieces),
      leftover(now),
      group("points", "The rubric: did you say it?", now.about, points),
      flags.length ? group("flags", "Red flags heard: did you mean it?", "Underlined with a wave. Take the tick away if you did not mean it.", flags) : "",
      make(
        "div",
        { class: "mlref-row" },
        button("record", "Record", () => send("record"), true),
        make("span", { id: named("ticked"), class: "mlref-tally", textContent: now.tally }),
      ),
    ];
  }

  function resting(items) {
    return make(
      "ul",
      {},
      ...items.map((each) =>
        make(
          "li",
          {},
          make("span", { textContent: each.text }),
          ...each.notes.map((note) => make("span", { class: "mlref-note", textContent: note })),
        ),
      ),
    );
  }

  function folded(name, summary, items) {
    if (!items.length) return "";
    return make("details", { id: named(name) }, make("summary", { textContent: summary }), resting(items));
  }

  function recorded(now) {
    return [
      make("p", { id: named("result"), class: "mlref-told", textContent: now.told }),
      leftover(now),
      make("h4", { textContent: "The 30-second answer" }),
      make("p", { id: named("short"), textContent: now.short_answer }),
      now.missed.length ? make("h4", { textContent: "What you missed, and what it rests on" }) : "",
      now.missed.length ? resting(now.missed) : "",
      folded("missed-more", `${now.missed_more.length} more that you missed`, now.missed_more),
      folded("measured", "The evidence for what you said", now.measured),
      make("p", { class: "mlref-note", textContent: now.about }),
      make("div", { class: "mlref-row" }, button("next", "Next question", () => send("next"), true)),
    ];
  }

  function asking(now) {
    return [
      make("p", { textContent: now.about }),
      make(
        "div",
        { class: "mlref-row" },
        button("go-on", "Go on with it", () => send("go_on"), true),
        button("put-away", "Put it away and answer this question", () => send("put_away")),
      ),
      make("p", { class: "mlref-note", textContent: "Put away, it stays in the history of your progress, without a rating." }),
    ];
  }

  const phases = { asking, typing, confirming, recorded };

  function show() {
    const now = view();
    const first = step === null;
    if (step !== now.step) {
      leave();
      leave = () => {};
      step = now.step;
      root.id = named("round");
      root.setAttribute("aria-label", now.heading);
      const question = make("p", { id: named("question"), class: "mlref-question", textContent: now.question, tabIndex: -1 });
      root.replaceChildren(
        make("h3", { textContent: now.heading }),
        question,
        ...now.notices.map((each) => make("p", { class: "mlref-notice", textContent: `note: ${each}` })),
        ...phases[now.phase](now).filter((each) => each !== ""),
        status(),
      );
      if (!first) {
        (root.querySelector("textarea") ?? question).focus({ preventScroll: true });
        root.firstElementChild.scrollIntoView({ block: "nearest" }); // it may be shorter than before
      }
    }
    const tally = root.querySelector(".mlref-tally");
    if (tally) tally.textContent = now.tally;
    if (now.problem) say(now.problem, true);
    else if (now.phase === "typing" && sent && now.saved >= sent) {
      if (root.querySelector("textarea")?.value === now.text) {
        unsaved.put(now.card, null);
        say(now.kept ? "Kept in your progress." : "");
      }
    } else if (now.phase !== "typing") say("");
  }

  const hidden = () => {
    if (document.visibilityState === "hidden") flush();
  };
  const key = (event) => {
    if (event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault(); // the browser would offer to save the page
      flush();
    }
  };
  model.on("change:view", show);
  document.addEventListener("visibilitychange", hidden);
  root.addEventListener("keydown", key);
  show();
  return () => {
    flush();
    leave();
    model.off("change:view", show);
    document.removeEventListener("visibilitychange", hidden);
  };
}

export default { render };

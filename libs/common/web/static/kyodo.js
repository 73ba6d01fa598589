// What script adds to pages that work without it: no second sending, saving while typing, focus, questions before what cannot be undone.
// No inline handlers, no eval, no styles: everything hangs on data- attributes and the words in <meta name="kyodo-words">.
"use strict";
(() => {
  const words = JSON.parse(document.querySelector('meta[name="kyodo-words"]')?.content || "{}");
  const RELEASE_MS = 20000; // a sending that got no answer may be tried again (the form's key makes it one)
  const AUTOSAVE_MS = 1500;
  const RETRY_MS = 10000;
  const WARN_S = 120; // before a sign-in ends, and as often as this the end is looked at: every eighth of it

  const say = (place, text, late = false) => {
    if (!place) return;
    place.textContent = text;
    place.closest(".saved")?.classList.toggle("is-late", late);
  };
  const focusOn = (element) => {
    if (!element) return;
    if (!element.matches("a[href], button, input, select, textarea, [tabindex]")) element.tabIndex = -1;
    element.focus();
  };

  // ---- one sending at a time
  // Forms that are saved while one types. Without a line, or after the sign-in's end, such a page is not left: what is typed and
  // chosen on it would be lost. `unkept`: whether that may be so; `keep`: saves now and says why the page must still not be left.
  const keepers = new WeakMap();
  const release = (form) => {
    form.removeAttribute("aria-busy");
    form.querySelectorAll('[aria-disabled="true"][data-guarded]').forEach((button) => {
      button.removeAttribute("aria-disabled");
      button.removeAttribute("data-guarded");
    });
    form.querySelector(".sending")?.replaceChildren();
  };
  const guard = (form) => {
    form.setAttribute("aria-busy", "true");
    form.querySelectorAll("button").forEach((button) => {
      button.setAttribute("aria-disabled", "true");
      button.setAttribute("data-guarded", "");
    });
    let status = form.querySelector(".sending");
    if (!status) {
      status = document.createElement("p");
      status.className = "sending";
      status.setAttribute("role", "status");
      form.append(status);
    }
    status.textContent = words.sending;
    setTimeout(() => release(form), RELEASE_MS);
  };
  const posts = (form, submitter) => (submitter?.formMethod || form.method) === "post" && !("again" in form.dataset);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!posts(form, event.submitter)) return;
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    const question = event.submitter?.dataset.confirm || form.dataset.confirm;
    if (question && !form.dataset.confirmed) {
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(question, () => {
        form.dataset.confirmed = "1";
        form.requestSubmit(event.submitter || undefined);
        delete form.dataset.confirmed;
      });
      return;
    }
    if (form.matches("[hx-post], [hx-put], [hx-delete]")) return;
    const keeper = keepers.get(form);
    if (keeper?.unkept() && !("kept" in form.dataset)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      guard(form);
      keeper.keep().then((why) => {
        release(form);
        if (why) return say(form.querySelector(".sending"), why);
        form.dataset.kept = "";
        form.requestSubmit(event.submitter || undefined);
        delete form.dataset.kept;
      });
      return;
    }
    guard(form);
  }, true);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll('form[aria-busy="true"]').forEach(release);
  });

  // ---- a question first
  const ask = (question, go) => {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "kyodo-question");
    const heading = document.createElement("h2");
    heading.id = "kyodo-question";
    heading.textContent = question;
    const row = document.createElement("div");
    row.className = "actions";
    const make = (text, look, done) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = look;
      button.textContent = text;
      button.addEventListener("click", () => { dialog.close(); done?.(); });
      row.append(button);
      return button;
    };
    const no = make(words.no, "btn", null);
    make(words.yes, "btn btn--main", go);
    dialog.append(heading, row);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  };

  // ---- a sign-in that ends soon is told before, and lasts on by one press (the gateway's cookie says: idle seconds, last second, shared)
  const life = () => document.cookie.match(/(?:^|; )(?:__Host-)?(?:staff_)?kyodo_life=(\d+)\.(\d+)\.([01])/) || [];
  const signedIn = Boolean(life().length && document.querySelector('form[action="/sign-out"]'));
  const tabs = signedIn && "BroadcastChannel" in window ? new BroadcastChannel("kyodo-used") : null;
  let usedAt = Date.now() / 1000, told = null;
  const forgetWarning = () => { usedAt = Date.now() / 1000; told?.close(); };
  const used = () => { if (signedIn) { forgetWarning(); tabs?.postMessage(0); } };
  const warn = (text, stays) => {
    told = document.createElement("dialog");
    told.setAttribute("role", "alertdialog");
    told.setAttribute("aria-labelledby", "kyodo-ending");
    const heading = document.createElement("h2");
    heading.id = "kyodo-ending";
    heading.textContent = text;
    const row = document.createElement("div");
    row.className = "actions";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn--main";
    button.textContent = stays ? words.stay : words.close;
    button.addEventListener("click", async () => {
      if (!stays) return told.close();
      const answer = await fetch("/account/stay", { method: "POST", credentials: "same-origin", redirect: "manual" }).catch(() => null);
      // On a shared machine the answer to this page has ordered to leave it: the gateway lets it stand for who pressed (204).
      if (answer?.ok && life()[3] === "1") document.cookie = "kyodo_stays=1; Path=/sign-in; Max-Age=3600; SameSite=Lax";
      if (answer?.ok) used(); else heading.textContent = answer ? words.ended : words.unreached;
    });
    row.append(button);
    told.append(heading, row);
    told.addEventListener("close", (event) => { event.target.remove(); if (told === event.target) told = null; });
    document.body.append(told);
    told.showModal();
    button.focus();
  };
  const lookAtEnd = (said) => {
    const [, idle = 0, until = 0, shared] = life(); // anew: somebody may have signed in again, or out, in another window
    const now = Date.now() / 1000, last = Number(until) - now, left = Math.min(usedAt + Number(idle) - now, last);
    const stage = left <= 0 ? "ended" : left > WARN_S ? "" : last <= WARN_S ? "lasting" : "ending";
    if (stage === "ended" && shared === "1") return location.assign("/sign-in?said=ended");
    if (stage && stage !== said) { told?.close(); warn(words[stage], stage === "ending"); }
    setTimeout(lookAtEnd, (WARN_S * 1000) / 8, stage);
  };
  if (signedIn) {
    if (tabs) { tabs.onmessage = forgetWarning; tabs.postMessage(0); }
    document.addEventListener("htmx:afterOnLoad", used);
    setTimeout(lookAtEnd, (WARN_S * 1000) / 8, "");
  }

  // ---- what renews itself can be stopped: [data-pause="id"] beside the part that is fetched again and again
  const paused = new Set();
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-pause]");
    if (!button) return;
    if (!paused.delete(button.dataset.pause)) paused.add(button.dataset.pause);
    [button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (paused.has(event.target.id) && /^every /.test(event.target.getAttribute("hx-trigger") || "")) event.preventDefault();
  });

  // ---- saving while typing
  const withoutFiles = (form) => {
    const data = new FormData(form);
    for (const [name, value] of [...data.entries()]) if (value instanceof File) data.delete(name);
    return new URLSearchParams(data);
  };
  const now = () => new Intl.DateTimeFormat(words.lang === "en" ? "en-GB" : "ja-JP", { hour: "numeric", minute: "2-digit", timeZone: "Asia/Tokyo" })
    .format(new Date()).replace(/^(\d+):(\d+)$/, words.lang === "en" ? "$1:$2" : "$1時$2分");
  const autosave = (form) => {
    const place = document.getElementById(form.dataset.autosaveState || "saved");
    let timer = 0, dirty = false, running = null, trouble = "";
    const later = (wait) => { clearTimeout(timer); timer = setTimeout(saveUnlessSending, wait); };
    const saveUnlessSending = () => { if (form.getAttribute("aria-busy") !== "true") save(); };
    const send = async (leaving) => {
      const answer = await fetch(form.dataset.autosave, {
        method: "POST", body: withoutFiles(form), headers: { "X-Autosave": "1", Accept: "application/json" },
        credentials: "same-origin", redirect: "manual", keepalive: leaving === true, signal: AbortSignal.timeout(RELEASE_MS),
      }).catch(() => null); // no line: tried again below
      trouble = "";
      if (answer?.ok) {
        used();
        say(place, words.saved.replace("{time}", now()));
        if (dirty) later(AUTOSAVE_MS);
        return;
      }
      dirty = true;
      if (answer && answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
        const problem = await answer.json().catch(() => ({}));
        say(place, problem.detail || words.failed, true); // the same content would be refused again: wait for the next change
        // Nobody's page any more is not left; what is wrong with the content is said by the next page, beside the inputs.
        if ([401, 403, 404].includes(answer.status)) trouble = problem.detail || words.failed;
        return;
      }
      trouble = words.failed;
      say(place, trouble, true);
      later(RETRY_MS);
    };
    const save = (leaving = false) => {
      if (!dirty || running) return running;
      dirty = false;
      running = send(leaving).finally(() => { running = null; });
      return running;
    };
    keepers.set(form, {
      unkept: () => Boolean(trouble) || !navigator.onLine || (running && dirty),
      keep: async () => {
        await running;
        dirty = true;
        await save();
        return trouble;
      },
    });
    form.addEventListener("input", () => {
      if (!dirty) say(place, words.unsaved);
      dirty = true;
      later(AUTOSAVE_MS);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" && form.getAttribute("aria-busy") !== "true") save(true);
    });
  };

  // ---- focus and news after a part of the page was exchanged: who stood on something in it stands on the same thing again
  const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";
  const wordsOf = (element) => element.getAttribute("aria-label") || element.textContent.trim();
  let stood = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const at = document.activeElement, part = event.detail.target;
    stood = at && part?.contains(at) && at !== document.body
      ? { id: at.id, kind: at.tagName, words: wordsOf(at), index: [...part.querySelectorAll(STOPS)].indexOf(at) } : null;
  });
  const standAgain = (root) => {
    if (!stood || (document.activeElement && document.activeElement !== document.body)) return;
    const stops = [...root.querySelectorAll(STOPS)], same = stops[stood.index];
    const found = stops.find((stop) => stood.id && stop.id === stood.id)
      || stops.find((stop) => stop.tagName === stood.kind && wordsOf(stop) === stood.words)
      || (same?.tagName === stood.kind ? same : null) || root;
    stood = null;
    focusOn(found);
  };
  document.addEventListener("htmx:afterSettle", (event) => {
    const root = event.detail.elt || event.target;
    start(root.parentNode || root);
    const news = root.matches?.("[data-focus]") ? root : root.querySelector?.("[data-focus]");
    if (news) focusOn(news); else standAgain(root);
  });
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      const place = event.target.querySelector?.('[role="status"]');
      if (place) place.textContent = words.unreached;
    });
  }

  // ---- small things
  const start = (root) => {
    root.querySelectorAll("form[data-autosave]:not([data-started])").forEach((form) => { form.dataset.started = ""; autosave(form); });
    root.querySelectorAll("[data-print], [data-pause]").forEach((button) => { button.hidden = false; });
  };
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-print]")) window.print(); });
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((part) => { part.open = true; part.dataset.printed = ""; });
  });
  window.addEventListener("afterprint", () => {
    document.querySelectorAll("details[data-printed]").forEach((part) => { part.open = false; delete part.dataset.printed; });
  });
  start(document);
  focusOn(document.querySelector("main [data-focus]"));
})();

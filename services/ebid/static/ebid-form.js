// Binds forms to ebid-seal.js:
//
//   <form data-ebid-seal='{"v":1,"purpose":"bid",…}'>            the envelope's head as JSON
//     <input data-seal="amount"> <input data-seal="lottery_number">   no name: browsers never send them
//     <input type="file" data-seal="breakdown">                  optional: its SHA-256 is sealed with the amount
//     <input type="hidden" name="envelope"> <output data-seal-digest> <p data-seal-error role="alert" hidden>
//
// Fields "points-0" … are the bidder's own points of each criterion (自己採点), at most data-most. Check boxes "pick-0" … are the places of 予備価格 that the bidder draws. With purpose "limits", data-seal names are keys of the payload and hold yen; empty fields are left out.
// On submit the fields are read, sealed, emptied; the envelope is posted. Without this script nothing secret can be posted.
// A bid is posted until the door takes it: of what is sealed nothing can be typed anew, and in the last minute the door may be busy.

import { Mistyped, available, canonical, digest, parseAmount, parseLotteryNumber, parsePoints, said, seal, sealFile, sha256 } from "./ebid-seal.js";

import { checkBreakdown } from "./ebid-breakdown.js";

const COST = "cost-"; // fields of the design price's parts
const PICK = "pick-"; // the places of 予備価格, from 0: check boxes of which two are chosen
const POINTS = "points-"; // 自己採点, from 0
const PRELIMINARY = "preliminary-"; // 予備価格, 15 amounts
const BUSY = new Set([408, 425, 429, 502, 503, 504]); // the door's, or a line's: nobody knows whether it has come
const PATIENCE_MS = 5 * 60_000;
const LONGEST_PAUSE_S = 15;
const NO_BREAKDOWN = "0".repeat(64);

async function bidPayload(fields, form) {
  const file = fields.breakdown?.files[0];
  const bytes = file && new Uint8Array(await file.arrayBuffer());
  const payload = {
    amount: parseAmount(fields.amount.value),
    lottery_number: parseLotteryNumber(fields.lottery_number.value),
    breakdown: bytes ? await sha256(bytes) : NO_BREAKDOWN,
  };
  const places = Object.keys(fields).filter((name) => name.startsWith(PICK));
  if (places.length) payload.picks = places.filter((name) => fields[name].checked).map((name) => Number(name.slice(PICK.length)));
  if (places.length && payload.picks.length !== 2) throw new Mistyped("予備価格の番号を、2つ選んでください。");
  const scored = Object.keys(fields).filter((name) => name.startsWith(POINTS));
  if (scored.length) payload.points = scored.map((name) => parsePoints(fields[name].value, fields[name].dataset.most));
  if (form.dataset.breakdownHead) await sealBreakdown(form, bytes, payload.amount);
  return payload;
}

// The 内訳書 goes along, sealed under a key of its own; what does not add up is not sent.
async function sealBreakdown(form, bytes, amount) {
  if (!bytes) throw new Mistyped("内訳書のファイルを選んでください。");
  await checkBreakdown(bytes, amount);
  const made = await sealFile(bytes, JSON.parse(form.dataset.breakdownHead));
  form.elements.breakdown_envelope.value = canonical(made.envelope);
  const carried = new DataTransfer();
  carried.items.add(new File([made.ciphertext], "breakdown.bin", { type: "application/octet-stream" }));
  form.elements.breakdown_sealed.files = carried.files;
}

function limitsPayload(fields, ceiling) {
  const empty = Object.values(fields).find((field) => field.required && field.value.trim() === "");
  if (empty) throw new Mistyped("入力していない価格があります。すべて入力してください。");
  const filled = Object.entries(fields).filter(([, field]) => field.value.trim() !== "");
  const typed = filled.map(([name, field]) => [name, parseAmount(field.value)]);
  const limits = Object.fromEntries(typed.filter(([name]) => !name.startsWith(COST) && !name.startsWith(PRELIMINARY)));
  const preliminary = typed.filter(([name]) => name.startsWith(PRELIMINARY)).map(([, value]) => value);
  if (preliminary.length) limits.preliminary = preliminary;
  const costs = typed.filter(([name]) => name.startsWith(COST)).map(([name, value]) => [name.slice(COST.length), value]);
  if (costs.length) limits.components = Object.fromEntries(costs);
  if (ceiling && limits.reserve_with_tax > ceiling) {
    throw new Mistyped("少額の随意契約は、予定価格が%(most)s円以下のときだけです。", { most: ceiling.toLocaleString("ja") });
  }
  for (const [low, high] of [["disqualify", "investigation"], ["investigation", "reserve"], ["minimum", "reserve"]]) {
    if (limits[low] > limits[high]) throw new Mistyped("最低制限価格・調査基準価格は、予定価格以下にしてください。");
  }
  return limits; // what contradicts itself could not be mended after the opening
}

function say(form, sentence) {
  const place = form.querySelector("[data-seal-error]");
  place.textContent = sentence;
  place.hidden = !sentence;
  place.tabIndex = -1;
  if (sentence) place.focus(); // it stands above the fields, out of sight of who pressed the button below them
}

async function sealForm(form) {
  const head = JSON.parse(form.dataset.ebidSeal);
  const fields = Object.fromEntries([...form.querySelectorAll("[data-seal]")].map((field) => [field.dataset.seal, field]));
  const payload = head.purpose === "limits" ? limitsPayload(fields, Number(form.dataset.ceiling ?? 0)) : await bidPayload(fields, form);
  const envelope = await seal(payload, head);
  form.elements.envelope.value = canonical(envelope);
  const shown = form.querySelector("[data-seal-digest]");
  if (shown) shown.textContent = await digest(envelope);
  for (const field of Object.values(fields)) if (field.type === "checkbox") field.checked = false; else if (field.type !== "file") field.value = "";
  form.dataset.sealed = "yes";
}

// The same envelope sent twice is one bid: the service answers with the receipt of the first.
async function deliver(form) {
  const body = new FormData(form);
  const end = Date.now() + PATIENCE_MS;
  for (let tries = 1; ; tries++) {
    const answer = await post(form.action, body).catch(() => null);
    if (answer && !BUSY.has(answer.status)) return show(answer);
    if (Date.now() > end) throw new Mistyped("まだ届いていません。封書は、この画面に残っています。もう一度、ボタンを押してください。");
    say(form, said("混み合っているか、つながらないため、封書を送り直しています（%(tries)s回目）。まだ受け付けられていません。この画面を閉じないでください。", { tries }));
    await pause(answer?.asked, tries);
  }
}

async function post(address, body) {
  const answer = await fetch(address, { method: "POST", body, headers: { accept: "text/html" } });
  return { status: answer.status, url: answer.url, asked: answer.headers.get("retry-after"), text: await answer.text() };
}

// Who closes the page meanwhile is asked first.
async function staying(act) {
  const ask = (event) => event.preventDefault();
  addEventListener("beforeunload", ask);
  try {
    await act();
  } finally {
    removeEventListener("beforeunload", ask);
  }
}

// As long as the door asks for, at least; not all at the same moment.
function pause(asked, tries) {
  const seconds = Math.max(Number(asked) || 0, Math.min(2 ** (tries - 1), LONGEST_PAUSE_S));
  return new Promise((go) => setTimeout(go, seconds * 1000 * (1 + Math.random() / 2)));
}

// As if the browser had posted the form, without leaving the page that holds the envelope before there is an answer.
// What stands between us and the service may answer with less than a page of ours: it is shown as it is.
function show(answer) {
  const page = new DOMParser().parseFromString(answer.text, "text/html");
  const main = document.querySelector("main");
  document.title = page.title;
  main.replaceChildren(...(page.querySelector("main") ?? page.body).childNodes);
  bind(main);
  const heading = main.querySelector("h1") ?? main;
  heading.tabIndex = -1;
  heading.focus();
}

async function onSubmit(event) {
  const form = event.currentTarget;
  const posted = JSON.parse(form.dataset.ebidSeal).purpose === "limits"; // by the browser itself, once
  if (posted && form.dataset.sealed === "yes") {
    form.dataset.sealed = "sent";
    return;
  }
  event.preventDefault();
  if (form.dataset.sealed === "sent") return;
  if (form.dataset.sealing) return; // pressed twice
  form.dataset.sealing = "yes";
  say(form, "");
  try {
    if (!available()) throw new Mistyped("この画面では封ができません。新しいブラウザーで開くか、封をする道具を使ってください。");
    if (!form.dataset.sealed) await sealForm(form);
    if (posted) setTimeout(() => form.requestSubmit(event.submitter)); // in a task of its own: a form in the midst of "submit" ignores it
    else await staying(() => deliver(form));
  } catch (error) {
    const old = error?.name === "NotSupportedError";
    const known = error instanceof Mistyped ? error.message : said("封ができませんでした。何も送っていません。もう一度お試しください。");
    say(form, old ? said("このブラウザーは古いため、封ができません。新しくするか、封をする道具を使ってください。") : known);
  } finally {
    delete form.dataset.sealing;
  }
}

function bind(part) {
  for (const form of part.querySelectorAll("form[data-ebid-seal]")) {
    form.addEventListener("submit", onSubmit);
    addEventListener("pageshow", (event) => event.persisted && delete form.dataset.sealed); // came back: seal anew
    for (const button of form.querySelectorAll("[data-needs-sealing]")) button.disabled = false;
  }
}

bind(document);

// A trustee's part of an opening, in the trustee's own browser: the private key never leaves it.
//
//   <form data-ebid-trustee="opening.json">
//     <input type="file" data-key> <input type="password" data-words>     no name: never sent
//     <input type="hidden" name="shares"> <p data-trustee-error role="alert" hidden>

import { Mistyped, answerOpening, said, unlock } from "./ebid-seal.js";

const form = document.querySelector("form[data-ebid-trustee]");
const place = form.querySelector("[data-trustee-error]");
const say = (sentence) => {
  place.textContent = sentence;
  place.hidden = !sentence;
};

async function give() {
  const file = form.querySelector("[data-key]").files[0];
  if (!file) return say(said("かぎのファイルを選んでください。"));
  let key;
  try {
    key = await unlock(JSON.parse(await file.text()), form.querySelector("[data-words]").value);
  } catch {
    return say(said("合言葉が違うか、かぎのファイルではありません。"));
  }
  const answer = await fetch(form.dataset.ebidTrustee, { headers: { accept: "application/json" } });
  if (!answer.ok) return say(said("開封のファイルを受け取れませんでした。画面を開き直してください。"));
  const opening = await answer.json();
  form.elements.shares.value = JSON.stringify(await answerOpening(opening, key));
  form.querySelector("[data-words]").value = "";
  form.dataset.ready = "yes";
  form.requestSubmit();
}

form.addEventListener("submit", (event) => {
  if (form.dataset.ready) return;
  event.preventDefault();
  event.stopPropagation();
  say("");
  give().catch((error) => {
    const refused = error instanceof Mistyped && error.message;
    say(refused || said("かぎを使えませんでした。何も送っていません。もう一度お試しください。"));
  });
});
for (const button of form.querySelectorAll("[data-needs-key]")) button.disabled = false;

// A form marked data-passkey="create" or "get" asks the browser for a passkey before it is sent.
// Its options come from the server (data-options); the answer goes back in the field "credential". Without script or without
// passkeys the form says so, and the recovery code beside it still works.
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const named = list => (list || []).map(one => ({ ...one, id: bytes(one.id) }));

function question(options) {
  const asked = { ...options, challenge: bytes(options.challenge) };
  if (options.user) asked.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) asked.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) asked.allowCredentials = named(options.allowCredentials);
  return { publicKey: asked };
}

function answer(credential) {
  const given = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (credential.response[name]) given[name] = text(credential.response[name]);
  if (credential.response.getTransports) given.transports = credential.response.getTransports();
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: given });
}

async function ask(form, event) {
  event.preventDefault();
  if (form.dataset.asking) return;
  form.dataset.asking = "1";
  const said = form.querySelector("[data-passkey-said]");
  said.hidden = true;
  try {
    const options = question(JSON.parse(form.dataset.options));
    const made = form.dataset.passkey === "create" ? navigator.credentials.create(options) : navigator.credentials.get(options);
    form.elements.credential.value = answer(await made);
    form.submit();
  } catch (error) {
    said.textContent = said.dataset[error.name === "InvalidStateError" ? "known" : "failed"];
    said.hidden = false;
    said.focus();
    delete form.dataset.asking;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (window.PublicKeyCredential) {
    form.hidden = false;
    form.addEventListener("submit", event => ask(form, event));
  } else {
    form.nextElementSibling.hidden = false;
  }
}

// Sealing in the bidder's browser: the same envelopes as services/ebid/sealing/making.py, byte for byte (FORMAT.md).
// One file, no build step, no library: everything secret is WebCrypto (X25519: Chrome 133, Firefox 130, Safari 17 and later).
// The server gets the envelope alone. Fields that hold the amount have no name, so no browser ever sends them.

const subtle = globalThis.crypto?.subtle;
const text = new TextEncoder();
const DOMAIN = "kyodo-ebid/v1/";
const PAYLOAD_BYTES = 512;
const MOST_YEN = 999999999999;
const PKCS8 = fromHex("302e020100300506032b656e04220420"); // RFC 8410: what comes before a raw X25519 key

// ---- bytes

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function number(value, length) {
  const bytes = new Uint8Array(length);
  for (let at = length - 1; at >= 0; at--, value = Math.floor(value / 256)) bytes[at] = value % 256;
  return bytes;
}

// Canonical JSON: keys sorted, no spaces. Numbers are integers below 2^53.
export function canonical(value) {
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new RangeError("integers below 2^53 only");
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

// ---- hashes

async function tagged(tag, ...parts) {
  const framed = parts.flatMap((part) => [number(part.length, 8), part]);
  return new Uint8Array(await subtle.digest("SHA-256", concat(text.encode(`${DOMAIN}${tag}\0`), ...framed)));
}

async function hmac(key, message) {
  const imported = await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, message));
}

async function hkdf(key, salt, info) {
  return hmac(await hmac(salt, key), concat(text.encode(DOMAIN + info), number(1, 1)));
}

export async function sha256(bytes) {
  return toHex(new Uint8Array(await subtle.digest("SHA-256", bytes)));
}

// ---- AES-GCM with a key that is used once: the nonce is zero

async function encrypt(key, nonce, message, bound) {
  const imported = await subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  return new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: bound }, imported, message));
}

async function decrypt(key, nonce, sealed, bound) {
  const imported = await subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  return new Uint8Array(await subtle.decrypt({ name: "AES-GCM", iv: nonce, additionalData: bound }, imported, sealed));
}

// ---- Shamir over GF(2^8), polynomial of AES

function times(left, right) {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    product ^= left & -(right >> bit & 1); // no branch on secret bits
    left = left << 1 ^ 0x11b & -(left >> 7);
  }
  return product;
}

function shareAt(secret, coefficients, place) {
  const value = new Uint8Array(secret.length);
  for (const coefficient of [...coefficients].reverse().concat([secret])) {
    for (let at = 0; at < value.length; at++) value[at] = times(value[at], place) ^ coefficient[at];
  }
  return value;
}

// ---- HPKE (RFC 9180) base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM

const KEM = concat(text.encode("KEM"), number(0x0020, 2));
const HPKE = concat(text.encode("HPKE"), number(0x0020, 2), number(1, 2), number(1, 2));
const VERSION = text.encode("HPKE-v1");

function labeledExtract(suite, salt, label, key) {
  return hmac(salt.length ? salt : new Uint8Array(32), concat(VERSION, suite, text.encode(label), key));
}

async function labeledExpand(suite, key, label, info, length) {
  const block = await hmac(key, concat(number(length, 2), VERSION, suite, text.encode(label), info, number(1, 1)));
  return block.slice(0, length);
}

async function privateKey(raw) {
  return subtle.importKey("pkcs8", concat(PKCS8, raw), { name: "X25519" }, true, ["deriveBits"]);
}

async function publicOf(key) {
  const { x } = await subtle.exportKey("jwk", key);
  return Uint8Array.from(atob(x.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}

async function exchange(key, publicKey) {
  const imported = await subtle.importKey("raw", publicKey, { name: "X25519" }, false, []);
  return new Uint8Array(await subtle.deriveBits({ name: "X25519", public: imported }, key, 256));
}

export async function keySchedule(exchanged, enc, publicKey, info) {
  const none = new Uint8Array();
  const extracted = await labeledExtract(KEM, none, "eae_prk", exchanged);
  const shared = await labeledExpand(KEM, extracted, "shared_secret", concat(enc, publicKey), 32);
  const context = concat(
    number(0, 1),
    await labeledExtract(HPKE, none, "psk_id_hash", none),
    await labeledExtract(HPKE, none, "info_hash", info),
  );
  const secret = await labeledExtract(HPKE, shared, "secret", none);
  return [await labeledExpand(HPKE, secret, "key", context, 16), await labeledExpand(HPKE, secret, "base_nonce", context, 12)];
}

export async function sealTo(publicKey, message, info, ephemeral, bound = new Uint8Array()) {
  const key = await privateKey(ephemeral);
  const enc = await publicOf(key);
  const [aes, nonce] = await keySchedule(await exchange(key, publicKey), enc, publicKey, info);
  return concat(enc, await encrypt(aes, nonce, message, bound));
}

// ---- the envelope

function shareInfo(headHash, place) {
  return concat(text.encode("kyodo-ebid/v1/share"), number(place, 1), headHash);
}

// The envelope of `payload` for `head` (its document as in FORMAT.md). `fixed` {seed, blind} is for test vectors only.
export async function seal(payload, head, fixed = {}) {
  const seed = fixed.seed ?? crypto.getRandomValues(new Uint8Array(32));
  const blind = fixed.blind ?? crypto.getRandomValues(new Uint8Array(32));
  const written = text.encode(canonical({ ...payload, blind: toHex(blind) }));
  if (written.length > PAYLOAD_BYTES) throw new RangeError("the payload is too long");
  const content = new Uint8Array(PAYLOAD_BYTES).fill(0x20);
  content.set(written);
  const bound = text.encode(canonical(head));
  const headHash = await tagged("head", bound);
  const sealed = await encrypt(await hkdf(seed, headHash, "key"), new Uint8Array(12), content, bound);
  const coefficients = [];
  for (let power = 1; power < head.threshold; power++) coefficients.push(await hkdf(seed, headHash, `coefficient/${power}`));
  const shares = [];
  for (const [index, trustee] of head.trustees.entries()) {
    const place = index + 1;
    const value = shareAt(seed, coefficients, place);
    const ephemeral = await hkdf(seed, headHash, `ephemeral/${place}`);
    const share = await sealTo(fromHex(trustee), value, shareInfo(headHash, place), ephemeral);
    shares.push({ commit: toHex(await tagged("share", number(place, 1), value, bound)), sealed: toHex(share) });
  }
  return {
    head,
    content: toHex(sealed),
    seed_commit: toHex(await tagged("seed", seed, bound)),
    content_commit: toHex(await tagged("content", content, bound)),
    shares,
  };
}

// What the log records of an envelope and the bidder compares on a second device.
export async function digest(envelope) {
  return toHex(await tagged("envelope", text.encode(canonical(envelope))));
}

// A trustee's share (hex) of the envelope at `place` (from 1), or null when it does not open or is not the committed one.
export async function openShare(envelope, place, privateBytes) {
  const bound = text.encode(canonical(envelope.head));
  const headHash = await tagged("head", bound);
  const { commit, sealed } = envelope.shares[place - 1];
  const bytes = fromHex(sealed);
  const enc = bytes.slice(0, 32);
  try {
    const key = await privateKey(privateBytes);
    const [aes, nonce] = await keySchedule(await exchange(key, enc), enc, await publicOf(key), shareInfo(headHash, place));
    const value = await decrypt(aes, nonce, bytes.slice(32), new Uint8Array());
    return toHex(await tagged("share", number(place, 1), value, bound)) === commit ? toHex(value) : null;
  } catch {
    return null;
  }
}

// A trustee's shares for an opening file, as trustee.py's `answer` gives them. Refuses what an honest trustee must not open: envelopes
// of another tender or round, and, where the file carries the announced terms, anything before the announced opening.
export async function answerOpening(opening, privateBytes, now = new Date()) {
  const publicKey = toHex(await publicOf(await privateKey(privateBytes)));
  const { tender, round, terms } = opening;
  const shares = {};
  const bound = terms?.opens_at && toHex(await tagged("terms", text.encode(canonical(terms))));
  if (bound && now < new Date(terms.opens_at)) throw new Mistyped("まだ開く日時ではありません。時刻より前に開けてはいけません。");
  for (const envelope of opening.envelopes) {
    const { head } = envelope;
    const belongs = head.tender === tender && (head.round === round || (head.purpose === "limits" && head.round === 1));
    if (!belongs) throw new Mistyped("ほかの案件か、ほかの回の封書が混じっています。開けてはいけません。");
    if (bound && head.terms !== bound) throw new Mistyped("公表された条件が、封書に結び付けられたものと違います。開けてはいけません。");
    const place = head.trustees.indexOf(publicKey) + 1;
    if (!place) throw new Mistyped("この案件の封書は、あなたのかぎあてではありません。");
    shares[await digest(envelope)] = await openShare(envelope, place, privateBytes);
  }
  return { format: "kyodo-ebid-shares/1", tender, round, trustee: publicKey, shares };
}

// ---- a file (内訳書) sealed under its own key, which lies in an envelope of its own

export const FILE_BLOCK = 65536;

// {envelope, ciphertext}: the file padded to whole blocks of 64 KiB; `head.purpose` is "breakdown".
export async function sealFile(bytes, head) {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const padded = new Uint8Array(Math.max(1, Math.ceil(bytes.length / FILE_BLOCK)) * FILE_BLOCK);
  padded.set(bytes);
  const ciphertext = await encrypt(key, new Uint8Array(12), padded, text.encode(canonical(head)));
  const envelope = await seal({ key: toHex(key), sha256: await sha256(bytes), size: bytes.length }, head);
  return { envelope, ciphertext };
}

// ---- a trustee's key file (services/ebid/sealing/trustee.py)

export async function unlock(file, passphrase) {
  const secret = await subtle.importKey("raw", text.encode(passphrase), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: fromHex(file.salt), iterations: file.iterations };
  const key = new Uint8Array(await subtle.deriveBits(how, secret, 256));
  return decrypt(key, new Uint8Array(12), fromHex(file.sealed), text.encode(file.public));
}

// ---- what people type

// What is said to people, in the reader's language where the page has it (api/script_words.py); %(name)s are `values`.
const words = JSON.parse(globalThis.document?.querySelector('meta[name="ebid-words"]')?.content || "{}");

export function said(sentence, values = {}) {
  return (words[sentence] ?? sentence).replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}

export class Mistyped extends Error {
  constructor(sentence, values) {
    super(said(sentence, values));
  }
}

// Full-width digits as a Japanese keyboard types them. Not NFKC: that would read 10² as 102.
function halfWidth(typed) {
  return typed.replace(/[０-９，￥]/g, (letter) => (letter === "￥" ? "¥" : String.fromCharCode(letter.charCodeAt(0) - 0xfee0))).trim();
}

export function parseAmount(typed) {
  const plain = halfWidth(typed).replace(/円$/, "").replace(/[,¥]/g, "").trim();
  const amount = /^[0-9]+$/.test(plain) ? Number(plain) : NaN;
  if (!(amount >= 1 && amount <= MOST_YEN)) throw new Mistyped("金額を、1円以上9,999億9,999万9,999円以下の数字で入力してください。例: 9200000");
  return amount;
}

// 自己採点: points of one criterion in thousandths, at most `most` points.
export function parsePoints(typed, most) {
  const plain = halfWidth(typed.replace(/．/g, "."));
  const points = /^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(plain) ? Math.round(Number(plain) * 1000) : NaN;
  if (!(points >= 0 && points <= Math.round(Number(most) * 1000))) throw new Mistyped("自己採点の点数を、0から%(most)sまでで入力してください。", { most });
  return points;
}

export function parseLotteryNumber(typed) {
  const plain = halfWidth(typed);
  if (!/^[0-9]{3}$/.test(plain)) throw new Mistyped("くじ番号は、000から999までの3けたの数字で入力してください。");
  return plain;
}

export function available() {
  return Boolean(globalThis.isSecureContext && subtle);
}

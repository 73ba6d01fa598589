// 内訳書 (XLSX or JSON) read in the bidder's own browser, by the rules of domain/breakdown.py: its lines add up to its total, and
// its total is the bid. No library: XLSX is a ZIP of XML, which browsers unpack (DecompressionStream) and read (DOMParser).
import { Mistyped } from "./ebid-seal.js";

const MOST_BYTES = 1024 * 1024;
const MOST_UNPACKED = 50 * 1024 * 1024;
const TOTALS = ["合計", "総計", "工事価格"];
const utf8 = new TextDecoder();

// ---- ZIP (APPNOTE 6.3): the central directory at the end names every member

function members(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new Mistyped("内訳書のファイルを読めません。");
  const found = new Map();
  let at = view.getUint32(end + 16, true);
  for (let count = view.getUint16(end + 10, true); count > 0; count--) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const path = utf8.decode(bytes.subarray(at + 46, at + 46 + name));
    const start = view.getUint32(at + 42, true);
    const data = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    const size = view.getUint32(at + 20, true);
    if (view.getUint32(at + 24, true) > MOST_UNPACKED) throw new Mistyped("内訳書のファイルが大きすぎます。");
    found.set(path, { stored: view.getUint16(at + 10, true) === 0, data: bytes.subarray(data, data + size) });
    at += 46 + name + extra + comment;
  }
  return found;
}

async function xml(member) {
  if (!member) return null;
  const stream = new Blob([member.data]).stream();
  const plain = member.stored ? stream : stream.pipeThrough(new DecompressionStream("deflate-raw"));
  const text = await new Response(plain).text();
  return new DOMParser().parseFromString(text, "application/xml");
}

// ---- the sheet: rows of texts and numbers

const tags = (node, name) => [...node.getElementsByTagNameNS("*", name)];
const textOf = (node) => tags(node, "t").map((part) => part.textContent).join("");

function columnOf(reference) {
  return [...reference.replace(/[0-9]/g, "")].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

function cellOf(cell, shared) {
  const kind = cell.getAttribute("t");
  if (kind === "inlineStr") return textOf(cell);
  const value = tags(cell, "v")[0]?.textContent ?? "";
  if (kind === "s") return shared[Number(value)] ?? "";
  return kind === "str" ? value : value === "" || kind === "b" || kind === "e" ? null : Number(value);
}

async function rowsOf(bytes) {
  const packed = members(bytes);
  const strings = await xml(packed.get("xl/sharedStrings.xml"));
  const shared = strings ? tags(strings, "si").map(textOf) : [];
  const sheet = await xml(packed.get("xl/worksheets/sheet1.xml"));
  if (!sheet) throw new Mistyped("内訳書のファイルに、表がありません。");
  return tags(sheet, "row").map((row) => {
    const cells = [];
    for (const cell of tags(row, "c")) cells[columnOf(cell.getAttribute("r"))] = cellOf(cell, shared);
    return cells;
  });
}

function fromCells(rows) {
  const isHead = (cell) => typeof cell === "string" && cell.trim().startsWith("金額");
  const head = rows.findIndex((row) => row.some(isHead));
  if (head < 0) throw new Mistyped("内訳書に「金額」の列がありません。");
  const column = rows[head].findIndex(isHead);
  const amounts = [];
  for (const row of rows.slice(head + 1)) {
    const amount = Number.isInteger(row[column]) ? row[column] : null;
    const words = row.filter((cell) => typeof cell === "string").map((cell) => cell.trim().replace(/[ \u3000]/g, ""));
    if (words.some((word) => TOTALS.includes(word))) {
      if (amount === null) throw new Mistyped("内訳書の合計の欄に、金額がありません。");
      return { amounts, total: amount };
    }
    if (amount !== null) amounts.push(amount);
  }
  throw new Mistyped("内訳書に「合計」の行がありません。");
}

function fromJson(bytes) {
  let document = null;
  try {
    document = JSON.parse(utf8.decode(bytes));
  } catch {
    // told below
  }
  const amounts = document?.items?.map?.((each) => each?.amount);
  if (!amounts || ![...amounts, document.total].every(Number.isSafeInteger)) throw new Mistyped("内訳書のJSONを読めません。");
  return { amounts, total: document.total };
}

// Throws Mistyped, saying what does not fit, unless the file is a 内訳書 of a bid of `amount` yen.
export async function checkBreakdown(bytes, amount) {
  if (bytes.length > MOST_BYTES) throw new Mistyped("内訳書は1MBまでです。");
  const packed = bytes[0] === 0x50 && bytes[1] === 0x4b;
  const { amounts, total } = packed ? fromCells(await rowsOf(bytes)) : fromJson(bytes);
  const added = amounts.reduce((sum, each) => sum + each, 0);
  const yen = (value) => value.toLocaleString("ja");
  if (added !== total) throw new Mistyped("内訳の合計は%(added)s円ですが、合計の欄は%(total)s円です。", { added: yen(added), total: yen(total) });
  if (total !== amount) throw new Mistyped("内訳書の合計は%(total)s円ですが、上に入力した金額は%(amount)s円です。", { total: yen(total), amount: yen(amount) });
}

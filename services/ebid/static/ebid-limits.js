// 予定価格（税込）→ 入札書比較価格（税抜）, and 最低制限価格 or 調査基準価格 by the announced table: in the official's own browser, exactly.
// The same arithmetic as domain/money.py and domain/limits.py (by_model): fractions of BigInt, rounded only as announced.
import { Mistyped, parseAmount } from "./ebid-seal.js";

// ---- fractions: [numerator, denominator], the denominator above zero

export function ratio(text) {
  const [top, bottom = "1"] = String(text).split("/");
  const places = (top.split(".")[1] ?? "").length;
  return [BigInt(top.replace(".", "")), BigInt(bottom) * 10n ** BigInt(places)];
}

const times = ([a, b], [c, d]) => [a * c, b * d];
const over = ([a, b], [c, d]) => [a * d, b * c];
const plus = ([a, b], [c, d]) => [a * d + c * b, b * d];
const less = ([a, b], [c, d]) => a * d < c * b;

// `rule` {mode, unit}: a multiple of the unit. Amounts here are never negative.
export function rounded(value, rule) {
  if (!rule || rule.mode === "none") return value;
  const unit = ratio(rule.unit);
  const [top, bottom] = over(value, unit);
  const whole = top / bottom;
  const rest = top - whole * bottom;
  const up = rule.mode === "ceiling" ? rest > 0n : rule.mode === "half_up" && 2n * rest >= bottom;
  return times([whole + (up ? 1n : 0n), 1n], unit);
}

const yen = ([top, bottom]) => Number(top / bottom);
const whole = (number) => [BigInt(number), 1n];

export function comparisonPrice(withTax, tax) {
  return yen(rounded([BigInt(withTax) * 100n, BigInt(100 + tax.percent)], tax.comparison));
}

// `costs`: {part: yen}; they add up to the design price.
export function byModel(model, costs, reserve) {
  const design = Object.values(costs).reduce((sum, cost) => sum + cost, 0);
  let weighed = [0n, 1n];
  for (const [part, cost] of Object.entries(costs)) weighed = plus(weighed, times(ratio(model.coefficients[part] ?? "1"), whole(cost)));
  const rate = rounded(over(weighed, whole(design)), model.rate_rounding);
  const [floor, ceiling] = [ratio(model.floor), ratio(model.ceiling)];
  if (less(rate, floor)) return yen(rounded(times(floor, whole(reserve)), model.floor_rounding ?? model.rounding));
  return yen(rounded(times(less(ceiling, rate) ? ceiling : rate, whole(reserve)), model.rounding));
}

// 15 different 予備価格 within 3 % of `base` (税抜 yen): one from each of 15 equal bands, then in an order that nobody chose.
export function preliminaryPrices(base, count = 15) {
  const [low, high] = [Math.ceil(base * 0.97), Math.floor(base * 1.03)];
  const band = (high - low) / count;
  const prices = Array.from({ length: count }, (_, place) => {
    const from = Math.ceil(low + band * place);
    return from + below(Math.max(1, Math.floor(low + band * (place + 1)) - from));
  });
  for (let last = prices.length - 1; last > 0; last--) {
    const other = below(last + 1);
    [prices[last], prices[other]] = [prices[other], prices[last]];
  }
  return prices;
}

// Uniform in 0 … limit-1, from the browser's secure source; values that would prefer some are thrown away.
function below(limit) {
  const most = 2n ** 64n - (2n ** 64n % BigInt(limit));
  for (;;) {
    const [drawn] = crypto.getRandomValues(new BigUint64Array(1));
    if (drawn < most) return Number(drawn % BigInt(limit));
  }
}

// ---- the page

function amountIn(field) {
  try {
    return parseAmount(field.value);
  } catch (error) {
    if (!(error instanceof Mistyped)) throw error;
    return null;
  }
}

function bind(form) {
  const field = (name) => form.querySelector(`[data-seal="${name}"]`);
  const tax = JSON.parse(form.dataset.tax);
  const rule = JSON.parse(form.dataset.rule);
  const costs = [...form.querySelectorAll('[data-seal^="cost-"]')];
  const compute = () => {
    const withTax = amountIn(field("reserve_with_tax"));
    const reserve = withTax && comparisonPrice(withTax, tax);
    field("reserve").value = reserve ? String(reserve) : "";
    if (!rule.model) return;
    const known = Object.fromEntries(costs.map((cost) => [cost.dataset.seal.slice(5), amountIn(cost)]));
    const whole = reserve && Object.values(known).every((cost) => cost !== null);
    field(rule.target).value = whole ? String(byModel(rule.model, known, reserve)) : "";
  };
  const draw = () => {
    const base = Number(field("reserve").value);
    if (base < 1000) return field("reserve_with_tax").focus(); // nothing to draw from yet
    preliminaryPrices(base).forEach((price, place) => (field(`preliminary-${place}`).value = String(price)));
  };
  form.querySelector("[data-draw-preliminary]")?.addEventListener("click", draw);
  form.addEventListener("input", compute);
  compute(); // what was typed before this script was here
}

const form = globalThis.document?.querySelector("form[data-rule]");
if (form) bind(form);

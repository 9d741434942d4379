// An answer, shown: bars of classes, numbers with their intervals, and where it came from.

import { duration, el, percent, shortNumber, svg } from "./dom.js";
import { readable } from "./fields.js";
import { brightness, drawArray, newCanvas, pictureShape } from "./pictures.js";
import { readOutputs, topClass } from "./outputs.js";

const MOST_BARS = 12;

/**
 * @param {import("./api.js").Signature} signature
 * @param {import("./api.js").Answer} answer with one row
 * @param {{truth?: Record<string, any>}} [about] what is known of the input
 * @returns {HTMLElement}
 */
export function answerView(signature, answer, { truth } = {}) {
  const reading = readOutputs(signature, answer.rows[0]);
  const view = el("div", {});
  if (reading.label !== null) view.append(verdict(reading));
  if (reading.classes.length > 1) view.append(bars(reading.classes));
  for (const number of reading.numbers) view.append(numberView(number));
  if (reading.others.length) view.append(others(reading.others));
  if (truth && Object.keys(truth).length) view.append(truthView(truth, answer.rows[0]));
  view.append(el("p", { class: "meta" },
    el("span", { text: `version ${answer.version}` }),
    el("span", { title: "From sending the request to having read the answer, in this browser", text: duration(answer.seconds) }),
    el("span", {}, "request ", el("code", { text: answer.requestId }))));
  return view;
}

/** @param {import("./outputs.js").Reading} reading */
function verdict(reading) {
  const found = reading.classes.find((each) => each.name === reading.label);
  return el("p", { class: "verdict" }, String(reading.label), found ? el("small", { text: `  ${percent(found.share)}` }) : null);
}

/** @param {{name: string, share: number}[]} classes */
function bars(classes) {
  const top = topClass({ classes, label: null, numbers: [], others: [] });
  const sorted = [...classes].sort((a, b) => b.share - a.share);
  // Two classes keep their places, so that the eye can follow them.
  const shown = (classes.length > 2 ? sorted : classes).slice(0, MOST_BARS);
  const list = el("ul", { class: "bars", "aria-label": "Probabilities" }, ...shown.map(({ name, share }) => {
    const bar = el("span", { class: "fill" });
    bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    return el("li", { class: name === top ? "top" : null }, el("span", { text: name }),
      el("span", { class: "track", "aria-hidden": "true" }, bar), el("span", { class: "value", text: percent(share) }));
  }));
  if (classes.length > MOST_BARS) return el("div", {}, list, el("p", { class: "quiet", text: `and ${classes.length - MOST_BARS} less probable` }));
  return list;
}

/** @param {import("./outputs.js").Reading["numbers"][0]} number */
function numberView({ field, value, low, high }) {
  const unit = field.unit ? ` ${field.unit}` : "";
  const view = el("div", {},
    el("p", { class: "quiet", text: readable(field.name) }),
    el("p", { class: "verdict" }, shortNumber(value), el("small", { text: unit })));
  if (low !== null && high !== null) {
    const words = `from ${shortNumber(low)} to ${shortNumber(high)}${unit}`;
    view.append(whisker(value, low, high, words), el("p", { class: "quiet", text: `Interval ${words}` }));
  }
  return view;
}

/** @param {number} value @param {number} low @param {number} high @param {string} words */
function whisker(value, low, high, words) {
  const [left, right] = [low - (high - low) * 0.35, high + (high - low) * 0.35];
  const x = (/** @type {number} */ at) => `${((at - left) / (right - left || 1)) * 100}%`;
  const line = (/** @type {Record<string, any>} */ props) => svg("line", { stroke: "currentColor", ...props });
  const label = (/** @type {number} */ at) => svg("text", { x: x(at), y: 42, "text-anchor": "middle", text: shortNumber(at) });
  return svg("svg", { class: "whisker plot", role: "img", "aria-label": words },
    svg("line", { class: "axis", x1: "0", x2: "100%", y1: 16, y2: 16 }),
    line({ x1: x(low), x2: x(high), y1: 16, y2: 16, "stroke-width": 3, "stroke-opacity": 0.5 }),
    line({ x1: x(low), x2: x(low), y1: 8, y2: 24, "stroke-width": 2, "stroke-opacity": 0.6 }),
    line({ x1: x(high), x2: x(high), y1: 8, y2: 24, "stroke-width": 2, "stroke-opacity": 0.6 }),
    svg("circle", { class: "dot", cx: x(value), cy: 16, r: 7 }), label(low), label(value), label(high));
}

/** @param {{field: import("./api.js").Field, value: any}[]} values */
function others(values) {
  return el("dl", { class: "pairs" }, ...values.flatMap(({ field, value }) => [
    el("dt", { text: `${readable(field.name)}${field.unit ? ` (${field.unit})` : ""}`, title: field.description || null }),
    el("dd", {}, valueView(field, value)),
  ]));
}

/** @param {import("./api.js").Field} field @param {any} value */
function valueView(field, value) {
  const shape = field.shape && field.dtype !== "string" && Array.isArray(value) ? pictureShape(field.shape.slice(1)) : null;
  if (shape) {
    const [canvas] = newCanvas(shape.size);
    drawArray(canvas, value, brightness(field));
    canvas.className = "seen";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${readable(field.name)}, as a picture`);
    return canvas;
  }
  if (typeof value === "number") return shortNumber(value);
  const text = typeof value === "string" ? value : JSON.stringify(value, (_, each) => (typeof each === "number" ? Number(each.toPrecision(5)) : each));
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

/** @param {Record<string, any>} truth @param {Record<string, any>} row */
function truthView(truth, row) {
  const words = Object.entries(truth).map(([name, value]) => {
    const got = row[name];
    const off = typeof value === "number" && typeof got === "number" ? `; off by ${shortNumber(Math.abs(got - value), 3)}` : got === value ? "; right" : "; the model is wrong here";
    return `${readable(name)} is ${value}${off}`;
  });
  return el("p", { class: "notice", text: `What is known of this example: ${words.join("; ")}.` });
}

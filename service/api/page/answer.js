// An answer, shown: bars of classes, numbers with their intervals, and where it came from.

import { duration, el, percent, shortNumber, svg } from "./dom.js";
import { readable, titled } from "./fields.js";
import { brightness, drawArray, newCanvas, picturesIn } from "./pictures.js";
import { readOutputs, topClass } from "./outputs.js";

const MOST_BARS = 12;

export function answerView(signature, answer, { truth } = /** @type {{truth?: Row}} */ ({})) {
	const reading = readOutputs(signature, answer.rows[0]);
	const batch = Number(signature.has_rows);
	const view = el("div");
	if (reading.label !== null) view.append(verdict(reading));
	if (reading.classes.length > 1) view.append(bars(reading.classes));
	for (const number of reading.numbers) view.append(numberView(number));
	if (reading.others.length) view.append(others(reading.others, batch));
	if (truth && Object.keys(truth).length) view.append(truthView(truth, answer.rows[0]));
	view.append(el("p.meta",
		el("span", `version ${answer.version}`),
		el("span", { title: "From sending the request to having read the answer, in this browser", text: duration(answer.seconds) }),
		el("span", "request ", el("code", answer.requestId))));
	return view;
}

function verdict(reading) {
	const found = reading.classes.find((each) => each.name === reading.label);
	return el("p.verdict", String(reading.label), found ? el("small", `  ${percent(found.share)}`) : null);
}

function bars(classes) {
	const top = topClass({ classes, label: null, numbers: [], others: [] });
	const sorted = [...classes].sort((a, b) => b.share - a.share);
	// Two classes keep their places, so that the eye can follow them.
	const shown = (classes.length > 2 ? sorted : classes).slice(0, MOST_BARS);
	const list = barList(shown.map(({ name, share }) => ({ name, share, text: percent(share), isTop: name === top })), "Probabilities");
	if (classes.length > MOST_BARS) return el("div", list, el("p.quiet", `and ${classes.length - MOST_BARS} less probable`));
	return list;
}

export const barList = (items, label) => el("ul.bars", { "aria-label": label }, ...items.map(({ name, share, text, isTop }) => {
	const bar = el("span.fill");
	bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
	return el("li", { class: isTop ? "top" : null }, el("span", name), el("span.track", { "aria-hidden": "true" }, bar), el("span.value", text));
}));

function numberView({ field, value, low, high }) {
	const unit = field.unit ? ` ${field.unit}` : "";
	const view = el("div",
		el("p.quiet", readable(field.name)),
		el("p.verdict", shortNumber(value), el("small", unit)));
	if (low !== null && high !== null) {
		const words = `from ${shortNumber(low)} to ${shortNumber(high)}${unit}`;
		view.append(whisker(field, value, low, high, words), el("p.quiet", `Interval ${words}`));
	}
	return view;
}

/** The scales of numbers by name, which only ever grow: so one sees a number move. */
const scales = new Map();

function whisker(field, value, low, high, words) {
	const margin = (high - low) * 0.5;
	const known = scales.get(field.name) || [field.minimum ?? low - margin, field.maximum ?? high + margin];
	const [left, right] = [Math.min(known[0], low), Math.max(known[1], high + margin * 0.2)];
	scales.set(field.name, [left, right]);
	const x = (at) => `${((at - left) / (right - left || 1)) * 100}%`;
	const line = (from, to, y1, y2, width) => svg("line", { stroke: "currentColor", "stroke-opacity": 0.55, x1: x(from), x2: x(to), y1, y2, "stroke-width": width });
	const ends = [left, right].map((at, i) => svg("text", { x: x(at), y: 42, "text-anchor": i ? "end" : "start", text: shortNumber(at, 3) }));
	return svg("svg", { class: "whisker plot", role: "img", "aria-label": words },
		svg("line", { class: "axis", x1: "0", x2: "100%", y1: 16, y2: 16 }),
		line(low, high, 16, 16, 3), line(low, low, 8, 24, 2), line(high, high, 8, 24, 2),
		svg("circle", { class: "dot", cx: x(value), cy: 16, r: 7 }), ...ends);
}

function others(values, batch) {
	return el("dl.pairs", ...values.flatMap(({ field, value }) => [
		el("dt", { text: titled(field), title: field.description || null }),
		el("dd", valueView(field, value, batch)),
	]));
}

function valueView(field, value, batch) {
	const shape = Array.isArray(value) && picturesIn(field, batch);
	if (shape) {
		const [canvas] = newCanvas(shape.size);
		const own = value.flat(3).reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity, -Infinity]);
		drawArray(canvas, value, field.minimum === undefined ? own : brightness(field));
		[canvas.className, canvas.role, canvas.ariaLabel] = ["seen", "img", `${readable(field.name)}, as a picture`];
		return canvas;
	}
	if (typeof value === "number") return shortNumber(value);
	const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value, (_, each) => (typeof each === "number" ? Number(each.toPrecision(5)) : each));
	return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

function truthView(truth, row) {
	const words = Object.entries(truth).map(([name, value]) => {
		const got = row[name];
		const off = typeof value === "number" && typeof got === "number" ? `; off by ${shortNumber(Math.abs(got - value), 3)}` : got === value ? "; right" : "; the model is wrong here";
		return `${readable(name)} is ${value}${off}`;
	});
	return el("p.notice", `What is known of this example: ${words.join("; ")}.`);
}

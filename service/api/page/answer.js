// An answer, shown: bars of classes, numbers with their intervals, and where it came from.

import { duration, el, percent, shortNumber, svg, svgText } from "./dom.js";
import { readable, titled } from "./fields.js";
import { brief, difference, isNumber, plain } from "./json.js";
import { drawArray, drawFile, newCanvas, takesPictures } from "./pictures.js";
import { readOutputs, topClass } from "./outputs.js";

const MOST_BARS = 12;

/** @param {Row} truth what is known of the input */
export function answerView({ outputs }, { rows, version, seconds, requestId }, truth = {}) {
	const [row] = rows;
	const reading = readOutputs({ outputs }, row);
	const { classes, label, numbers, others } = reading;
	const share = classes.find(({ name }) => name === label)?.share;
	return el("div",
		label !== null && el("p.verdict", label, share !== undefined && el("small", `  ${percent(share)}`)),
		classes.length > 1 && bars(classes, topClass(reading)),
		...numbers.map(numberView),
		others.length > 0 && valuesView(others),
		Object.keys(truth).length > 0 && truthView(truth, row),
		el("p.meta",
			el("span", `version ${version}`),
			el("span", { title: "From sending the request to having read the answer, in this browser" }, duration(seconds)),
			el("span", "request ", el("code", requestId))));
}

function bars(classes, top) {
	// Two classes keep their places, so that the eye can follow them.
	const sorted = classes.length > 2 ? [...classes].sort((a, b) => b.share - a.share) : classes;
	return el("div",
		barList(sorted.slice(0, MOST_BARS).map(({ name, share }) => ({ name, share, text: percent(share), isTop: name === top })), "Probabilities"),
		classes.length > MOST_BARS && el("p.quiet", `and ${classes.length - MOST_BARS} less probable`));
}

export const barList = (items, label) => el("ul.bars", { "aria-label": label }, ...items.map(({ name, share, text, isTop }) => {
	const bar = el("span.fill");
	bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
	return el("li", { class: isTop && "top" }, el("span", name), el("span.track", { "aria-hidden": "true" }, bar), el("span.value", text));
}));

function numberView({ field, value, low, high }) {
	const unit = field.unit ? ` ${field.unit}` : "";
	const words = low !== null && high !== null && `from ${shortNumber(low)} to ${shortNumber(high)}${unit}`;
	return el("div",
		el("p.quiet", readable(field.name)),
		el("p.verdict", shortNumber(value), el("small", unit)),
		words && whisker(field, Number(value), Number(low), Number(high), words), words && el("p.quiet", `Interval ${words}`));
}

/** The scales of numbers by name, which only ever grow: so one sees a number move. */
const scales = new Map();

function whisker({ name, minimum, maximum }, value, low, high, words) {
	const margin = (high - low) * 0.5;
	const known = scales.get(name) || [Number(minimum ?? low - margin), Number(maximum ?? high + margin)];
	const [left, right] = [Math.min(known[0], low), Math.max(known[1], high + margin * 0.2)];
	scales.set(name, [left, right]);
	const x = (at) => `${((at - left) / (right - left || 1)) * 100}%`;
	const line = (from, to, y1, y2, width) => svg("line", { stroke: "currentColor", "stroke-opacity": 0.55, x1: x(from), x2: x(to), y1, y2, "stroke-width": width });
	return svg("svg", { class: "whisker plot", role: "img", "aria-label": words },
		svg("line", { class: "axis", x1: "0", x2: "100%", y1: 16, y2: 16 }),
		line(low, high, 16, 16, 3), line(low, low, 8, 24, 2), line(high, high, 8, 24, 2),
		svg("circle", { class: "dot", cx: x(value), cy: 16, r: 7 }),
		svgText(0, 42, shortNumber(left, 3), "start"), svgText("100%", 42, shortNumber(right, 3), "end"));
}

/** Values by their fields' names. */
export const valuesView = (values) => el("dl.pairs", ...values.flatMap(({ field, value }) => [
	el("dt", { title: field.description }, titled(field)), el("dd", valueView(field, value))]));

function valueView(field, value) {
	const picture = Array.isArray(value) && value.length === field.picture?.size && field.picture;
	if (picture || (value?.b64 && takesPictures(field))) {
		const [canvas] = newCanvas(picture ? picture.size : 112);
		if (picture) {
			const all = value.flat(3).map(Number);
			drawArray(canvas, value, field.minimum === undefined ? { low: Math.min(...all), high: Math.max(...all) } : picture);
		} else drawFile(canvas, value);
		[canvas.className, canvas.role, canvas.ariaLabel] = ["seen", "img", `${readable(field.name)}, as a picture`];
		return canvas;
	}
	if (isNumber(value)) return shortNumber(value);
	const text = typeof value === "string" ? value : JSON.stringify(value, (_, each) => plain(brief(each, 5))) || "";
	const most = typeof value === "string" ? 10_000 : 400;
	return text.length > most ? `${text.slice(0, most)}…` : text;
}

function truthView(truth, row) {
	const words = Object.entries(truth).map(([name, value]) => {
		const gap = isNumber(value) && Math.abs(difference(row[name], value));
		const off = Number.isFinite(gap) ? `off by ${shortNumber(gap, 3)}` : row[name] === value ? "right" : "the model is wrong here";
		return `${readable(name)} is ${value}; ${off}`;
	});
	return el("p.notice", `What is known of this example: ${words.join("; ")}.`);
}

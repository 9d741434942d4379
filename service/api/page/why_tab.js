// Why: what in the input moved the answer, by inputs that differ a little.

import { button, el, percent, put, shade, shortNumber, svg, svgText, table } from "./dom.js";
import { barList } from "./answer.js";
import { predictMany } from "./api.js";
import { readable, titled } from "./fields.js";
import { isNumber } from "./json.js";
import { readOutputs, target as targetNumber, topClass } from "./outputs.js";
import { planFor } from "./perturbations.js";
import { context, newCanvas } from "./pictures.js";

/** @type {MakeTab} */
export function whyTab(model) {
	const place = el("div", { role: "region", "aria-label": "Explanation", "aria-live": "polite" },
		el("p.quiet", "The model is asked again with parts of the input changed; what changes the answer most is shown."));
	const start = button("Explain this answer", async () => {
		start.disabled = true;
		try {
			put(place, ...(await explanation(model)));
		} finally {
			start.disabled = false;
		}
	}, { class: "main" });
	return {
		element: el("div.paper.stack", el("div.row", start, model.versionChoice()), place),
		ask: () => { if (place.querySelector("[data-explained]")) place.firstElementChild?.classList.add("stale"); },
	};
}

async function explanation(model) {
	const { editor } = model;
	const target = model.target();
	const row = await editor.read();
	const plan = await planFor(target.signature, row);
	if (!plan) return [el("p", "Inputs of this kind cannot be varied here.")];
	const answer = await predictMany(target, plan.rows, model.overview.value);
	editor.showProblems(answer);
	if (!answer.ok) return [el("p.problem", answer.error)];
	const readings = answer.rows.map((each) => readOutputs(target.signature, each));
	const top = topClass(readings[0]);
	const scores = readings.map((reading) => targetNumber(reading, top));
	if (scores.includes(null)) return [el("p", "The answer has no number that could be followed.")];
	const isClass = readings[0].classes.length > 0;
	const what = isClass ? `the probability of ${top}` : readable(readings[0].numbers[0].field.name);
	const show = isClass ? percent : (value) => shortNumber(value, 3);
	const head = el("p", { "data-explained": "" }, `What moves ${what} `, el("b", `(${show(scores[0])})`),
		el("span.quiet", `; ${plan.rows.length} inputs asked, version ${answer.version}`));
	const effects = scores.slice(1).map((score) => scores[0] - score);
	return [head, plan.kind === "picture" ? heatMap(plan, effects, editor, show)
		: plan.kind === "words" ? words(plan, effects, show) : curves(plan, scores, readings, show)];
}

function heatMap({ across, canvas: shown }, effects, editor, show) {
	const under = shown || editor.element.querySelector("canvas.easel");
	const size = 280;
	const [canvas, drawing] = newCanvas(size);
	drawing.imageSmoothingEnabled = under.width >= 100;
	drawing.filter = "brightness(.75)";
	drawing.drawImage(under, 0, 0, size, size);
	drawing.filter = "none";
	const [map] = newCanvas(across);
	const image = new ImageData(across, across);
	const most = Math.max(...effects.map(Math.abs), 1e-9);
	effects.forEach((effect, i) => {
		image.data.set([...(effect > 0 ? [40, 220, 190] : [255, 110, 90]), (Math.abs(effect) / most) ** 0.8 * 225], 4 * i);
	});
	context(map).putImageData(image, 0, 0);
	drawing.imageSmoothingEnabled = true;
	drawing.imageSmoothingQuality = "high";
	drawing.drawImage(map, 0, 0, size, size);
	const best = effects.indexOf(Math.max(...effects));
	const place = (at, names) => names[Math.min(2, Math.floor((3 * at) / across))];
	const words = `Most depends on the part ${place(best % across, ["left", "centre", "right"])}, ${place(Math.floor(best / across), ["top", "middle", "bottom"])}: without it the answer changes by ${show(effects[best])}.`;
	canvas.className = "easel smooth";
	[canvas.role, canvas.ariaLabel] = ["img", words];
	return el("figure.heat", canvas, el("figcaption", words, " Teal speaks for the answer, red against it."));
}

function words({ parts, places }, effects, show) {
	const most = Math.max(...effects.map(Math.abs), 1e-9);
	const spans = parts.map((part, i) => {
		if (places[i] < 0) return part;
		const effect = effects[places[i]];
		const span = el("span", { title: `${effect >= 0 ? "for" : "against"}: ${show(Math.abs(effect))}` }, part);
		const strength = (Math.abs(effect) / most) * 32;
		if (strength > 2.5) {
			shade(span, effect > 0, strength);
			if (effect < 0) span.className = "against";
		}
		return span;
	});
	const ranked = effects.map((effect, group) => ({ effect, text: parts.filter((_, i) => places[i] === group).join(" ") }))
		.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, 8);
	return el("div", el("p.words", ...spans),
		el("p.legend", el("span.swatch"), " speaks for the answer  ", el("span.swatch.against"), " against it"),
		el("h2", "What counts most"),
		table(["left out", "changes the answer by"], ranked.map(({ effect, text }) => [text, `${effect > 0 ? "−" : "+"}${show(Math.abs(effect))}`]), "What counts most"));
}

function curves({ fields }, scores, readings, show) {
	const bands = readings.map(({ numbers: [first], classes }) => (!classes.length && first?.low !== null ? [Number(first.low), Number(first.high)] : null));
	const all = [...scores, ...bands.flatMap((band) => band ?? [])];
	const drawn = fields.map(({ field, values, start, now }) => {
		const own = scores.slice(start, start + values.length);
		const [low, high, title] = [Math.min(...own), Math.max(...own), titled(field)];
		const told = `${title}: the answer goes from ${show(low)} to ${show(high)}`;
		const plot = typeof values[0] === "number" && !field.choices
			? curve(values, own, bands.slice(start, start + values.length), Math.min(...all), Math.max(...all), now, scores[0], told, show)
			: columns(values, own, now, show);
		return { spread: high - low, figure: el("figure", el("figcaption", el("b", title), ` moves it by ${show(high - low)}`), plot) };
	});
	return el("div.curves", ...drawn.sort((a, b) => b.spread - a.spread).map(({ figure }) => figure));
}

function curve(xs, ys, bands, low, high, now, here, told, show) {
	const [width, height, left, bottom] = [240, 120, 44, 18];
	const last = xs.at(-1);
	const x = (at) => left + ((at - xs[0]) / (last - xs[0] || 1)) * (width - left - 6);
	const y = (at) => 6 + (1 - (at - low) / (high - low || 1)) * (height - bottom - 10);
	const points = (values) => values.map((value, i) => `${x(xs[i]).toFixed(1)},${y(value).toFixed(1)}`);
	const band = bands.every(Boolean) && [...points(bands.map((each) => each[0])), ...points(bands.map((each) => each[1])).reverse()];
	return svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told },
		band && svg("polygon", { class: "band", points: band.join(" ") }),
		svg("line", { class: "axis", x1: left, x2: width - 6, y1: height - bottom, y2: height - bottom }),
		svg("polyline", { class: "curve", points: points(ys).join(" ") }),
		isNumber(now) && svg("circle", { class: "dot", cx: x(Number(now)), cy: y(here), r: 5 }),
		svgText(left - 5, y(high) + 8, show(high), "end"), svgText(left - 5, y(low), show(low), "end"),
		svgText(left, height - 4, shortNumber(xs[0]), "start"), svgText(width - 6, height - 4, shortNumber(last), "end"));
}

function columns(values, scores, now, show) {
	const [low, most] = [Math.min(0, ...scores), Math.max(...scores, 1e-9)];
	return barList(values.map((value, i) => ({ name: String(value), share: (scores[i] - low) / (most - low), text: show(scores[i]), isTop: value === now })), "Answers");
}

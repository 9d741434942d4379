// The card: what the version is, how good, made of what and how.

import { el, percent, shortNumber, svg, table } from "./dom.js";
import { readable } from "./fields.js";

/** @type {MakeTab} */
export function cardTab(model) {
	const { card } = model.version;
	const element = el("div.stack");
	element.append(el("div.row", model.versionChoice()));
	if (!card) {
		element.append(el("div.paper", el("p", "This version brings no card; its contract is read from its graph.")), contract(model.version));
		return { element, ask: () => {} };
	}
	const { evaluation, training, data, libraries } = card;
	const parts = [
		section("Evaluation", headline(evaluation), figures(evaluation)),
		perClass(evaluation.per_class),
		reliability(evaluation),
		confusion(evaluation),
		compared(evaluation.compared),
		gates(training.gates),
		section("Training run", pairs({ created: card.created_at, task: card.task, precision: card.precision.used, ...flat(training, ["gates"]) })),
		section("Data", pairs(flat(data))),
		section("Libraries", pairs(libraries)),
		contract(model.version),
	];
	element.append(...parts.filter(Boolean));
	return { element, ask: () => {} };
}

const section = (title, ...children) => (children.some(Boolean) ? el("section.paper", el("h2", title), ...children) : null);

function headline({ headline: found }) {
	if (typeof found?.value !== "number") return null;
	const range = found.low !== undefined ? ` (${shortNumber(found.low)} to ${shortNumber(found.high)})` : "";
	return el("p.evaluation", el("b", shortNumber(found.value)), ` ${found.name}${range}`);
}

/** The scalars of an object, with names of what is within what. */
function flat(value, without = [], prefix = "") {
	/** @type {Row} */
	const found = {};
	for (const [key, each] of Object.entries(value || {})) {
		const name = prefix + readable(key);
		if (without.includes(key) || each === null || each === "") continue;
		if (typeof each !== "object") found[name] = each;
		else if (!Array.isArray(each)) Object.assign(found, flat(each, without, `${name}: `));
	}
	return found;
}

function pairs(values) {
	return Object.keys(values).length === 0 ? null : el("dl.pairs", ...Object.entries(values).flatMap(([name, value]) => [
		el("dt", name),
		el("dd", typeof value === "number" ? shortNumber(value, 5) : typeof value === "object" ? JSON.stringify(value) : String(value)),
	]));
}

function figures(evaluation) {
	const known = flat(evaluation, ["headline", "per_class", "confusion", "compared", "reliability"]);
	const intervals = Object.entries(evaluation).filter(([key, value]) => /_ci\d+$/.test(key) && Array.isArray(value));
	for (const [key, [low, high]] of intervals) {
		const name = readable(key.replace(/_ci\d+$/, ""));
		if (name in known) known[name] = `${shortNumber(known[name])} (${shortNumber(low)} to ${shortNumber(high)}, ${/\d+$/.exec(key)} %)`;
	}
	return pairs(known);
}

function perClass(classes) {
	if (!Array.isArray(classes) || !classes.length || !("label" in classes[0])) return null;
	const keys = Object.keys(classes[0]).filter((key) => key !== "label" && typeof classes[0][key] !== "object");
	return section("By class", table(["class", ...keys.map(readable)], classes.map((each) => [each.label, ...keys.map((key) => each[key])]), "By class"));
}

/** Bins of a reliability diagram, wherever the card has them. */
function reliability(evaluation) {
	const bins = evaluation.reliability || evaluation.calibration?.reliability || evaluation.calibration?.test?.reliability;
	if (!Array.isArray(bins) || !bins.length) return null;
	const read = ({ confidence, accuracy, count }) => ({ x: confidence, y: accuracy, n: count });
	const points = bins.map(read).filter(({ x, y }) => typeof x === "number" && typeof y === "number");
	if (!points.length) return null;
	const [size, left] = [260, 34];
	const at = ({ x, y }) => [left + x * (size - left - 8), 8 + (1 - y) * (size - left - 8)];
	const line = points.map((point) => at(point).map((value) => value.toFixed(1)).join(",")).join(" ");
	const [[x0, y0], [x1, y1]] = [at({ x: 0, y: 0 }), at({ x: 1, y: 1 })];
	const drawn = svg("svg", { class: "plot", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": "Reliability: the share that is right, by confidence" },
		svg("line", { class: "ideal", x1: x0, y1: y0, x2: x1, y2: y1 }), svg("polyline", { class: "curve", points: line }),
		...points.map((point) => svg("circle", { class: "dot", cx: at(point)[0], cy: at(point)[1], r: 4 }, svg("title", { text: `${percent(point.x)} sure: ${percent(point.y)} right${point.n ? ` of ${point.n}` : ""}` }))),
		svg("text", { x: size / 2, y: size - 4, "text-anchor": "middle", text: "confidence" }),
		svg("text", { x: left, y: 6, "text-anchor": "start", text: "share right" }));
	return section("Reliability", el("div.heat", drawn), el("p.quiet", "On the dashed line, an answer that is 80 % sure is right four times in five."));
}

function confusion({ confusion: found, per_class: classes }) {
	const counts = found?.counts;
	if (!Array.isArray(counts) || counts.length > 30) return null;
	const names = counts.map((_, i) => found.labels?.[i] ?? classes?.[i]?.label ?? String(i));
	const rows = counts.map((row, i) => {
		const total = row.reduce((sum, count) => sum + count, 0) || 1;
		return [names[i], ...row.map((count, j) => {
			const cell = el("td", { class: i === j ? "right" : null, text: count || "·" });
			if (count) cell.style.background = `color-mix(in srgb, var(${i === j ? "--accent" : "--bad"}) ${Math.round(6 + (count / total) * 30)}%, transparent)`;
			return cell;
		})];
	});
	return section("Confusion", el("p.quiet", "A row for what it is, a column for what the model says."),
		el("div.confusion", table(["", ...names], rows, "Confusion")));
}

function compared(found) {
	if (!found?.models || typeof found.models !== "object") return null;
	return section("Compared with", found.how ? el("p.quiet", found.how) : null,
		table(["model", found.unit || "value"], Object.entries(found.models), "Compared with"));
}

function gates(found) {
	const list = found?.outcomes;
	if (!Array.isArray(list) || !list.length) return null;
	return section("Gates", el("ul.versions", ...list.map((gate) => el("li",
		el("span", { class: `pill ${gate.passed ? "good" : "bad"}`, text: gate.passed ? "passed" : "failed" }), ` ${readable(String(gate.gate))}: ${gate.because}`))));
}

function contract({ signatures }) {
	const row = (field) => [field.name, `${field.dtype} [${field.shape ? field.shape.map((n) => n ?? "?").join(", ") : "any shape"}]`,
		field.minimum !== undefined || field.maximum !== undefined ? `${field.minimum ?? ""} to ${field.maximum ?? ""} ${field.unit || ""}` : field.unit || "", field.description || ""];
	return section("Contract", ...Object.entries(signatures).flatMap(([name, { inputs, outputs }]) => [
		el("h3", name),
		table(["takes", "type", "range", "meaning"], inputs.map(row), `What ${name} takes`),
		table(["gives", "type", "range", "meaning"], outputs.map(row), `What ${name} gives`),
	]));
}

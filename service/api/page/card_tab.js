// The card: what the version is, how good, made of what and how.

import { el, percent, pill, shade, shortNumber, svg, svgText, table } from "./dom.js";
import { readable } from "./fields.js";
import { evaluationView } from "./figures.js";

/** @type {MakeTab} */
export function cardTab(model) {
	const { card } = model.version;
	const { evaluation, measured, gates, made } = card || {};
	const parts = card ? [
		typeof evaluation.headline?.value === "number" && el("div.paper", evaluationView(evaluation.headline)),
		...measured.map(told),
		reliability(evaluation),
		confusion(evaluation),
		passed(gates),
		...made.map(told),
	] : [el("p.paper", "This version brings no card; its contract is read from its graph.")];
	return { element: el("div.stack", model.versionChoice(), ...parts, contract(model.version)) };
}

const section = (title, ...children) => el("section.paper", el("h2", title), ...children);

/** A section as the service has it: names with their values, or a table. */
function told({ title, about, pairs, head, rows }) {
	if (head) return section(title, about && el("p.quiet", about), table(head, rows, title));
	return pairs.length > 0 && section(title, el("dl.pairs", ...pairs.flatMap(([name, value]) => [el("dt", name), el("dd", inWords(value))])));
}

function inWords(value) {
	if (typeof value?.value === "number") return `${shortNumber(value.value)} (${shortNumber(value.low)} to ${shortNumber(value.high)}, ${value.percent} %)`;
	return typeof value === "number" ? shortNumber(value, 5) : String(value);
}

/** A reliability diagram, where the evaluation has its bins: drawn, and as a table. */
function reliability({ reliability: found }) {
	if (!Array.isArray(found)) return null;
	const bins = found.filter((bin) => Number.isFinite(bin?.confidence) && Number.isFinite(bin.accuracy));
	if (!bins.length) return null;
	const [x, y] = [(share) => 42 + share * 206, (share) => 8 + (1 - share) * 220];
	const most = Math.max(1, ...bins.map((bin) => bin.count || 0));
	const drawn = svg("svg", { class: "plot", viewBox: "0 0 260 260", role: "img", "aria-label": "Reliability diagram; the table of bins has its numbers" },
		svg("path", { class: "axis", d: `M${x(0)} ${y(1)}V${y(0)}H${x(1)}` }),
		svg("path", { class: "ideal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}` }),
		svg("path", { class: "curve", d: `M${bins.map((bin) => `${x(bin.confidence)} ${y(bin.accuracy)}`).join("L")}` }),
		// A dot's area is the bin's share of the answers.
		...bins.map((bin) => svg("circle", { class: "dot", cx: x(bin.confidence), cy: y(bin.accuracy), r: 3 + 5 * Math.sqrt((bin.count || 0) / most) })),
		...[0, 0.5, 1].flatMap((share) => [svgText(x(share), 243, `${share * 100} %`), svgText(36, y(share) + 4, `${share * 100} %`, "end")]),
		svgText(x(0.5), 258, "how sure the model is"));
	return section("Reliability", el("p.quiet", "How often answers are right, by how sure the model was. On the dashed line, answers that are 80 % sure are right four times in five."),
		el("div.side", el("div.heat", drawn),
			table(["sure", "right", "answers"], bins.map((bin) => [percent(bin.confidence), percent(bin.accuracy), bin.count]), "Bins")));
}

function confusion({ confusion: found, per_class: classes }) {
	const counts = found?.counts;
	if (!Array.isArray(counts) || counts.length > 30) return null;
	const names = counts.map((_, i) => found.labels?.[i] ?? classes?.[i]?.label ?? String(i));
	const rows = counts.map((row, i) => {
		const total = row.reduce((sum, count) => sum + count, 0) || 1;
		return [names[i], ...row.map((count, j) => {
			const cell = el("td", { class: i === j && "right" }, count || "·");
			if (count) shade(cell, i === j, 6 + (count / total) * 30);
			return cell;
		})];
	});
	return section("Confusion", el("p.quiet", "A row for what it is, a column for what the model says."),
		el("div.confusion", table(["", ...names], rows, "Confusion")));
}

function passed(gates) {
	const list = gates?.outcomes;
	return Array.isArray(list) && list.length > 0 && section("Gates", el("ul.versions", ...list.map((gate) => el("li",
		gate.passed ? pill("passed", "good") : pill("failed", "bad"), ` ${readable(String(gate.gate))}: ${gate.because}`))));
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

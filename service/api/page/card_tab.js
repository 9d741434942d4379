// The card: what the version is, how good, made of what and how.

import { el, percent, shade, shortNumber, svg, svgText, table } from "./dom.js";
import { evaluationView } from "./figures.js";

/** @type {MakeTab} */
export function cardTab(model) {
	const { card, contract } = model.version;
	const parts = card ? [
		card.headline && el("div.paper", evaluationView(card.headline)),
		...card.measured.map(view),
		reliability(card.reliability),
		confusion(card.confusion),
		...[...card.gates, ...card.made].map(view),
	] : [el("p.paper", "This version brings no card; its contract is read from its graph.")];
	return { element: el("div.stack", model.versionChoice(), ...parts, ...contract.map(view)) };
}

const section = (title, ...children) => el("section.paper", el("h2", title), ...children);

/** A section as the service has it: names with their values, or a table. */
function view({ title, about, pairs, head, rows }) {
	if (head) return section(title, about && el("p.quiet", about), table(head, rows, title));
	return pairs.length > 0 && section(title, el("dl.pairs", ...pairs.flatMap(([name, value]) => [el("dt", name), el("dd", inWords(value))])));
}

const inWords = (value) => (typeof value === "number" ? shortNumber(value, 5) : String(value));

/** A reliability diagram, where the evaluation has its bins: drawn, and as a table. */
function reliability(bins) {
	if (!bins.length) return null;
	const [x, y] = [(share) => 42 + share * 206, (share) => 8 + (1 - share) * 220];
	const most = Math.max(1, ...bins.map((bin) => bin.count));
	const drawn = svg("svg", { class: "plot", viewBox: "0 0 260 260", role: "img", "aria-label": "Reliability diagram; the table of bins has its numbers" },
		svg("path", { class: "axis", d: `M${x(0)} ${y(1)}V${y(0)}H${x(1)}` }),
		svg("path", { class: "ideal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}` }),
		svg("path", { class: "curve", d: `M${bins.map((bin) => `${x(bin.confidence)} ${y(bin.accuracy)}`).join("L")}` }),
		// A dot's area is the bin's share of the answers.
		...bins.map((bin) => svg("circle", { class: "dot", cx: x(bin.confidence), cy: y(bin.accuracy), r: 3 + 5 * Math.sqrt(bin.count / most) })),
		...[0, 0.5, 1].flatMap((share) => [svgText(x(share), 243, `${share * 100} %`), svgText(36, y(share) + 4, `${share * 100} %`, "end")]),
		svgText(x(0.5), 258, "how sure the model is"));
	return section("Reliability", el("p.quiet", "How often answers are right, by how sure the model was. On the dashed line, answers that are 80 % sure are right four times in five."),
		el("div.side", el("div.heat", drawn),
			table(["sure", "right", "answers"], bins.map((bin) => [percent(bin.confidence), percent(bin.accuracy), bin.count]), "Bins")));
}

function confusion(found) {
	if (!found) return null;
	const { names, counts } = found;
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

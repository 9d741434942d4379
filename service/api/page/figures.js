// The figures of a model that move: requests, latency, errors.

import { duration, el, setText, svg } from "./dom.js";
import { WINDOW_S } from "./rates.js";

const NAMES = ["requests/s", "p50", "p99", "errors"];

export function figuresView() {
	const cells = NAMES.map(() => el("dd", "–"));
	const element = el("dl.figures", { title: `Predictions of the last ${WINDOW_S} seconds, by all workers` },
		...NAMES.map((name, i) => el("div", el("dt", name), cells[i])));
	function update({ rate, failures, requests, p50, p99 }) {
		const share = failures ? ` (${((failures / requests) * 100).toFixed(1)} %)` : "";
		const time = (seconds) => (seconds === null ? "–" : duration(seconds));
		[rate.toFixed(rate >= 10 ? 0 : 1), time(p50), time(p99), `${failures}${share}`].forEach((text, i) => setText(cells[i], text));
	}
	return { element, update };
}

export function sparkline() {
	const path = svg("path");
	const element = svg("svg", { class: "spark", viewBox: "0 0 60 20", preserveAspectRatio: "none", "aria-hidden": "true" }, path);
	function update(rates) {
		element.toggleAttribute("hidden", !rates.some(Boolean));
		const most = Math.max(...rates, 1);
		const points = rates.map((rate, i) => `${60 - rates.length + i + 1},${(18.5 - (rate / most) * 17).toFixed(2)}`);
		path.setAttribute("d", points.length ? `M${points.join("L")}` : "");
	}
	return { element, update };
}

/** A measured value with its name and its interval, if it has one. */
export const evaluationView = ({ value, name, low, high }) => el("p.evaluation",
	el("b", rounded(value)), ` ${name} `, typeof low === "number" && el("span.quiet", `(${between(low, high)})`));

export const between = (low, high) => (typeof low === "number" && typeof high === "number" ? `${rounded(low)} to ${rounded(high)}` : "");

export const rounded = (value) => value.toFixed(Math.abs(value) < 1 ? 3 : 2);

// The figures of a model that move: requests, latency, errors.

import { duration, el, setText, svg } from "./dom.js";
import { WINDOW_S } from "./rates.js";

const NAMES = ["requests/s", "p50", "p99", "errors"];

export class Figures {
	constructor() {
		this.cells = NAMES.map(() => el("dd", "–"));
		this.element = el("dl.figures", { title: `Predictions of the last ${WINDOW_S} seconds, by all workers` },
			...NAMES.map((name, i) => el("div", el("dt", name), this.cells[i])));
	}

	update({ rate, failures, requests, p50, p99 }) {
		const share = requests ? ` (${((failures / requests) * 100).toFixed(failures ? 1 : 0)} %)` : "";
		[rate >= 10 ? rate.toFixed(0) : rate.toFixed(1), p50 === null ? "–" : duration(p50), p99 === null ? "–" : duration(p99), `${failures}${failures ? share : ""}`]
			.forEach((text, i) => setText(this.cells[i], text));
	}
}

export class Sparkline {
	constructor() {
		this.path = svg("path");
		this.element = svg("svg", { class: "spark", viewBox: "0 0 60 20", preserveAspectRatio: "none", "aria-hidden": "true" }, this.path);
	}

	update(rates) {
		this.element.toggleAttribute("hidden", !rates.some(Boolean));
		const most = Math.max(...rates, 1);
		const points = rates.map((rate, i) => `${60 - rates.length + i + 1},${(18.5 - (rate / most) * 17).toFixed(2)}`);
		this.path.setAttribute("d", points.length ? `M${points.join("L")}` : "M0,18.5L60,18.5");
	}
}

export const interval = ({ low, high }, open = "", close = "") =>
	(typeof low === "number" && typeof high === "number" ? `${open}${rounded(low)} to ${rounded(high)}${close}` : "");

export const rounded = (value) => (Math.abs(value) < 1 ? value.toFixed(3) : value.toFixed(2));

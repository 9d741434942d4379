// A number: a box, and a slider where the contract has bounds.

import { el, newId, shortNumber } from "./dom.js";
import { brief, isNumber, numberIn } from "./json.js";

export function numberInput({ name, minimum, slider: range }, { change }) {
	const control = el("input", {
		type: "text", inputmode: "decimal", autocomplete: "off", id: newId(),
		oninput: () => { follow(); change(); },
	});
	const slider = range && el("input", {
		type: "range", ...range, "aria-label": `${name}, slider`,
		oninput: () => { control.value = String(brief(Number(slider.value), 7)); change(); },
	});
	const element = el(slider ? "div.number" : "div.number.plain", control, slider && el("div", slider,
		el("div.ends", { "aria-hidden": "true" }, el("span", shortNumber(range.min)), el("span", shortNumber(range.max)))));
	function follow() {
		const value = Number(control.value);
		if (slider && Number.isFinite(value)) slider.value = String(value);
	}
	/** what is no number goes to the service as it is: it says what is wrong */
	function read() {
		const text = control.value.trim();
		const value = numberIn(text.replace(",", "."));
		return isNumber(value) ? value : text;
	}
	function write(value) {
		control.value = String(value);
		follow();
	}
	return { element, control, fallback: range ? brief((range.min + range.max) / 2, 7) : minimum ?? 0, read, write };
}

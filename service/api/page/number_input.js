// A number: a box, and a slider where the contract has bounds.

import { el, newId, shortNumber } from "./dom.js";

export function numberInput(field, { change, examples }) {
	const { minimum, maximum } = field;
	const isBounded = minimum !== undefined && maximum !== undefined && maximum - minimum < 1e7;
	const control = el("input", {
		type: "text", inputmode: "decimal", autocomplete: "off", id: newId(),
		oninput: () => { follow(); change(); },
	});
	const slider = isBounded && el("input", {
		type: "range", min: minimum, max: maximum, step: sliderStep(field, examples), "aria-label": `${field.name}, slider`,
		oninput: () => { control.value = trimmed(slider.value); change(); },
	});
	const ends = el("div.ends", { "aria-hidden": "true" }, el("span", shortNumber(minimum)), el("span", shortNumber(maximum)));
	const element = el(slider ? "div.number" : "div.number.plain", control, slider && el("div", slider, ends));
	function follow() {
		const value = Number(control.value);
		if (slider && Number.isFinite(value)) slider.value = String(value);
	}
	/** what is no number goes to the service as it is: it says what is wrong */
	function read() {
		const text = control.value.trim();
		const value = Number(text.replace(",", "."));
		return text !== "" && Number.isFinite(value) ? value : text;
	}
	function write(value) {
		control.value = typeof value === "number" ? trimmed(value) : String(value);
		follow();
	}
	return { element, control, fallback: isBounded ? (minimum + maximum) / 2 : minimum ?? 0, read, write };
}

const trimmed = (value) => String(Number(Number(value).toPrecision(7)));

/** A step that suits the field: whole where all that is known of it is whole. */
function sliderStep({ dtype, minimum, maximum, example }, examples) {
	if (dtype.includes("int")) return 1;
	const numbers = [...examples, example].filter((each) => typeof each === "number");
	const range = maximum - minimum;
	if (numbers.length > 2 && numbers.every(Number.isInteger) && range >= 4) return 1;
	return range > 0 ? Number((10 ** Math.floor(Math.log10(range / 100))).toPrecision(1)) : "any";
}

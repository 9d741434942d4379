// A number: a box, and a slider where the contract has bounds.

import { el, newId, shortNumber } from "./dom.js";

export class NumberInput {
	constructor(field, context) {
		this.field = field;
		this.changed = context.change;
		const { minimum, maximum } = field;
		const isBounded = minimum !== undefined && maximum !== undefined && maximum - minimum < 1e7;
		this.control = el("input", {
			type: "text", inputmode: "decimal", autocomplete: "off", id: newId(),
			oninput: () => { this.follow(); this.changed(); },
		});
		this.slider = null;
		if (isBounded) {
			const step = sliderStep(field, context.examples);
			this.slider = el("input", {
				type: "range", min: minimum, max: maximum, step, "aria-label": `${field.name}, slider`,
				oninput: () => { this.control.value = trimmed(this.slider.value); this.changed(); },
			});
		}
		this.element = el("div", { class: isBounded ? "number" : "number plain" }, this.control,
			this.slider && el("div", this.slider,
				el("div.ends", { "aria-hidden": "true" }, el("span", shortNumber(minimum)), el("span", shortNumber(maximum)))));
		const known = context.examples.find((each) => typeof each === "number");
		this.write(field.example ?? known ?? (isBounded ? (minimum + maximum) / 2 : minimum ?? 0));
	}

	follow() {
		const value = Number(this.control.value);
		if (this.slider && Number.isFinite(value)) this.slider.value = String(value);
	}

	/** what is no number goes to the service as it is: it says what is wrong */
	read() {
		const text = this.control.value.trim();
		const value = Number(text.replace(",", "."));
		return text !== "" && Number.isFinite(value) ? value : text;
	}

	write(value) {
		this.control.value = typeof value === "number" ? trimmed(value) : String(value);
		this.follow();
	}
}

const trimmed = (value) => String(Number(Number(value).toPrecision(7)));

/** A step that suits the field: whole where all that is known of it is whole. */
function sliderStep(field, examples) {
	if (field.dtype.includes("int")) return 1;
	const numbers = [...examples, field.example].filter((each) => typeof each === "number");
	const range = field.maximum - field.minimum;
	if (numbers.length > 2 && numbers.every(Number.isInteger) && range >= 4) return 1;
	return range > 0 ? Number((10 ** Math.floor(Math.log10(range / 100))).toPrecision(1)) : "any";
}

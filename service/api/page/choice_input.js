// One of some values, as buttons or a list; and a flag, as a switch.

import { el, newId } from "./dom.js";

const MOST_BUTTONS = 8;

export class ChoiceInput {
	constructor(field, context) {
		this.choices = field.choices || [];
		this.changed = context.change;
		const name = newId();
		if (this.choices.length > MOST_BUTTONS) {
			this.control = el("select", { id: newId(), onchange: this.changed },
				...this.choices.map((choice) => el("option", choice)));
			this.element = el("div", this.control);
		} else {
			this.radios = this.choices.map(() => el("input", { type: "radio", name, onchange: this.changed }));
			this.element = this.control = el("div.choices", { role: "radiogroup", "aria-label": field.name },
				...this.choices.map((choice, i) => el("label", this.radios?.[i], el("span", choice))));
		}
		this.write(field.example ?? context.examples[0] ?? this.choices[0]);
	}

	read() {
		const chosen = this.radios ? this.radios.findIndex((radio) => radio.checked) : this.control.selectedIndex;
		return this.choices[chosen];
	}

	write(value) {
		const i = Math.max(0, this.choices.indexOf(value));
		if (this.radios) this.radios[i].checked = true;
		else this.control.selectedIndex = i;
	}
}

export class FlagInput {
	constructor(field, context) {
		this.changed = context.change;
		this.control = el("input", { type: "checkbox", role: "switch", id: newId(), onchange: this.changed });
		this.element = el("label.switch", this.control, "yes");
		this.write(field.example ?? context.examples[0] ?? false);
	}

	read() {
		return this.control.checked;
	}

	write(value) {
		this.control.checked = Boolean(value);
	}
}

// One of some values, as buttons or a list; and a flag, as a switch.

import { el, newId } from "./dom.js";

const MOST_BUTTONS = 8;

/** Buttons of which one can be chosen. */
export function radioGroup(label, texts, onchange) {
	const name = newId();
	const radios = texts.map(() => el("input", { type: "radio", name, onchange }));
	const element = el("div.choices", { role: "radiogroup", "aria-label": label },
		...texts.map((text, i) => el("label", radios[i], el("span", text))));
	return { element, radios };
}

/** Nothing is chosen at first. */
export function choiceInput({ name, choices }, { change }) {
	if (choices.length > MOST_BUTTONS) {
		const control = el("select", { id: newId(), onchange: change }, ...choices.map((choice) => el("option", choice)));
		control.selectedIndex = -1;
		return {
			element: el("div", control), control, fallback: choices[0],
			read: () => choices[control.selectedIndex],
			write: (value) => { control.selectedIndex = Math.max(0, choices.indexOf(value)); },
		};
	}
	const { element, radios } = radioGroup(name, choices, change);
	return {
		element, control: element, fallback: choices[0],
		read: () => choices[radios.findIndex((radio) => radio.checked)],
		write: (value) => { radios[Math.max(0, choices.indexOf(value))].checked = true; },
	};
}

export function flagInput(_, { change }) {
	const control = el("input", { type: "checkbox", role: "switch", id: newId(), onchange: change });
	return {
		element: el("label.switch", control, "yes"), control, fallback: false,
		read: () => control.checked,
		write: (value) => { control.checked = Boolean(value); },
	};
}

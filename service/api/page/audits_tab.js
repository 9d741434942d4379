// Audits: rows drawn at random, to be labelled without seeing the model's answer.

import { button, el, put } from "./dom.js";
import { modelPath, send } from "./api.js";
import { valuesView } from "./answer.js";
import { truthForm } from "./truth_form.js";

/** @type {MakeTab} */
export function auditsTab(model) {
	const place = el("div.stack", button("Show me a row", next, { class: "main" }));
	let count = 0;

	async function next() {
		const { ok, value, error } = await send(`${modelPath(model.name)}/audits?count=1`);
		const [audit] = ok ? value.audits : [];
		const signature = audit && model.version.signatures[audit.signature];
		put(place, count > 0 && el("p.quiet", `${count} labelled; thank you.`), ...(!ok ? [el("p.problem", error), button("Try again", next)]
			: !audit ? [el("p", "No row waits to be labelled."), button("Look again", next)]
				: signature ? rowView(audit, signature)
					: [el("p", `This row was asked of ${audit.signature}, which version ${model.version.version} lacks.`), button("Next", next)]));
		// For labelling by keyboard.
		place.querySelector("form :is(input,textarea,select,canvas), button")?.focus();
	}

	function rowView({ id, row, inputs }, signature) {
		const shown = signature.inputs.filter(({ name }) => name in inputs).map((field) => ({ field, value: inputs[field.name] }));
		const done = () => { count += 1; next(); };
		return [valuesView(shown),
			truthForm(model.name, signature, { id, row, source: "audit" }, undefined, done, button("Skip", next))];
	}

	return {
		element: el("section.paper.stack", { "aria-label": "Audits" },
			el("p", "Rows drawn at random from what clients sent. Say what is true of them: how good the model is on today's traffic is measured by that, so its answer is not shown."),
			place),
		isOfAll: true,
	};
}

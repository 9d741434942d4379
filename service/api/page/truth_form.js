// What was true of a row, said by a person, and sent as feedback.

import { announce, el, put } from "./dom.js";
import { modelPath, send } from "./api.js";
import { problemsByField } from "./editor.js";
import { labelledInput } from "./fields.js";

/**
 * A form for the truth, by the contract of the first output: the others say how sure the model is.
 * `about` is the row as feedback names it; `answer` is what the form holds at first; `done` is called
 * with a sentence when the truth is stored.
 */
export function truthForm(model, { outputs, has_rows }, about, answer, done, ...buttons) {
	const field = { ...outputs[0], example: answer };
	const note = el("p.notice", { role: "status" });
	const input = labelledInput(field, { hasRows: has_rows, examples: [], isBlank: answer === undefined, change: () => {} });
	async function onsubmit(event) {
		event.preventDefault();
		const truth = (await input.read()) ?? null;
		const reply = await send(`${modelPath(model)}:feedback`, { body: { feedback: [{ ...about, truth }] } });
		const problems = problemsByField(reply, [field.name]);
		input.show(problems.get(field.name) || []);
		note.textContent = (problems.get("") || []).join(" ");
		if (!reply.ok) return;
		const words = reply.value.corrected ? "Corrected." : reply.value.unchanged ? "That was known already." : "Thank you; it is stored.";
		announce(words);
		done(words);
	}
	return el("form.stack", { onsubmit }, input.element, el("div.tools", el("button.main", "Send the truth"), ...buttons), note);
}

/** "Wrong? Correct it", for an answer that may have been stored. */
export function correctionView(model, signature, { requestId, rows }) {
	const about = { id: requestId, row: 0, source: "user" };
	const done = (words) => put(place, el("p.notice.news", words));
	const place = el("div", el("details", el("summary", "Wrong? Correct it"),
		truthForm(model, signature, about, rows[0][signature.outputs[0].name], done)));
	return place;
}

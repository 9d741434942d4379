// Try it: one input, one answer.

import { announce, button, el } from "./dom.js";
import { predict } from "./api.js";
import { Asker } from "./ask.js";
import { answerView } from "./answer.js";
import { inWords, readOutputs } from "./outputs.js";
import { snippetsView } from "./snippets.js";

/** @type {MakeTab} */
export function tryTab(model) {
	const answers = el("div", { "aria-label": "Answer", role: "region", class: "paper" }, el("p.quiet", "Asking…"));
	const code = snippetsView(async () => ({ target: model.target(), row: await model.editor.read() }));
	const asker = new Asker(async () => {
		const { editor } = model;
		const [target, row, { example }] = [model.target(), await editor.read(), editor];
		answers.firstElementChild?.classList.add("stale");
		const answer = await predict(target, [row]);
		if (editor !== model.editor) return;
		editor.showProblems(answer);
		if (!answer.ok) {
			answers.replaceChildren(el("p.quiet", answer.error));
			return announce(answer.error);
		}
		answers.replaceChildren(answerView(target.signature, answer, { truth: example?.truth }));
		announce(`${inWords(readOutputs(target.signature, answer.rows[0]))}, version ${answer.version}`);
		code.refresh();
	});
	const element = el("div.stack", answers, el("div.row", button("Predict", () => asker.now(), { class: "main" }), model.versionChoice()), code.element);
	return { element, ask: () => asker.soon() };
}

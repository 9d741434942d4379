// Try it: one input, one answer.

import { announce, button, el, put } from "./dom.js";
import { asker, predict } from "./api.js";
import { answerView } from "./answer.js";
import { inWords, readOutputs } from "./outputs.js";
import { snippetsView } from "./snippets.js";
import { correctionView } from "./truth_form.js";

/** @type {MakeTab} */
export function tryTab(model) {
	const answers = el("div.paper.stack", { "aria-label": "Answer", role: "region" }, el("p.quiet", "Asking…"));
	const code = snippetsView(model);
	const { now, soon } = asker(async () => {
		const { editor } = model;
		const [target, row, { example }] = [model.target(), await editor.read(), editor];
		answers.firstElementChild?.classList.add("stale");
		const answer = await predict(target, [row]);
		if (editor !== model.editor) return;
		editor.showProblems(answer);
		if (!answer.ok) {
			put(answers, el("p.quiet", answer.error));
			return announce(answer.error);
		}
		put(answers, answerView(target.signature, answer, example?.truth), model.known.events && !target.signature.is_whole && correctionView(model.name, target.signature, answer));
		announce(`${inWords(readOutputs(target.signature, answer.rows[0]))}, version ${answer.version}`);
		code.refresh();
	});
	const element = el("div.stack", answers, el("div.row", button("Predict", now, { class: "main" }), model.versionChoice()), code.element);
	return { element, ask: soon };
}

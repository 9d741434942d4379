// Drift: whether live rows are unlike those that the version was measured with, in the service's words.

import { el, percent, pill, put, redraw, shortNumber, table } from "./dom.js";
import { modelPath, send } from "./api.js";
import { between } from "./figures.js";
import { poller } from "./polling.js";

const KINDS = { drift: "bad", "no drift": "good", worse: "bad", "not worse": "good" };

/** @type {MakeTab} */
export function driftTab(model) {
	const summary = el("div.paper", el("p.quiet", "Asking…"));
	const fields = el("section.paper", { hidden: true, "aria-label": "Fields" });
	const poll = poller(() => send(`${modelPath(model.name, model.version.version)}/drift`), ({ ok, value, error }) => {
		put(summary, ...(ok ? view(value) : [el("p.problem", error)]));
		if (!ok) return;
		redraw(fields, el("h2", "Fields"), ...value.fields.map((field) => fieldView(field, value.alarm_at)));
		fields.hidden = !value.fields.length;
	});
	return { element: el("div.stack", el("div.row", model.versionChoice()), summary, fields), ask: poll, poll };
}

function view({ state, sentence, evidence, alarm_at, rows, blocks, quality, expected_accuracy: expected }) {
	return [
		el("p", pill(state, KINDS[state]), ` ${sentence}`),
		alarm_at && el("p.quiet", `Evidence ${shortNumber(evidence)} in ${shortNumber(rows)} rows, ${blocks} blocks; an alarm begins at ${shortNumber(alarm_at)}.`),
		el("h2", "Live quality ", pill(quality.state, KINDS[quality.state])),
		el("p", quality.sentence),
		...(!expected ? [] : [el("h2", "Expected accuracy ", pill("blind to changed meanings", "warn")), el("p", expected.live
			? `If the probabilities are right, ${percent(expected.live.value)} of ${shortNumber(expected.live.rows)} live answers are (${between(expected.live.low, expected.live.high)}); of the reference's, ${percent(expected.reference)}.`
			: `No live answer yet; of the reference's, ${percent(expected.reference)} are expected to be right.`),
		el("p.quiet", expected.blind_to)]),
	];
}

/** One field or output; those with an alarm are open. */
function fieldView({ field, evidence, psi, psi_by_chance: byChance, recent_rows: rows, sentence, bins }, alarmAt) {
	const isAlarm = evidence >= alarmAt;
	return el("details.bins", { open: isAlarm },
		el("summary", el("code", field), " ", isAlarm && pill("alarm", "bad"), ` ${sentence}`),
		el("p.quiet", `Evidence ${shortNumber(evidence)}`, psi !== null && `; PSI ${shortNumber(psi)} in the last ${shortNumber(rows)} rows, of which chance explains ${shortNumber(byChance)}`, "."),
		table(["values", "reference", "live"], bins.map(({ bin, reference, live }) => [bin, percent(reference), percent(live)]), `Shares of ${field}`));
}

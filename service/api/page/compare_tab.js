// Compare: two versions on the same input, side by side.

import { el, percent, put, shortNumber } from "./dom.js";
import { asker, predict, send, uiPath } from "./api.js";
import { answerView } from "./answer.js";
import { difference, stringify } from "./json.js";
import { readOutputs, target as targetNumber, topClass } from "./outputs.js";

/** @type {MakeTab} */
export function compareTab(model) {
	const versions = model.loadedVersions();
	const update = () => { if (model.loadedVersions().join() !== versions.join()) model.draw(); };
	if (versions.length < 2) {
		return {
			update,
			element: el("div.paper", el("p", `Version ${versions[0]} is the only one that is loaded.`),
				el("p.quiet", "To compare it with another, let several serve: ", el("code", '{"serve": {"latest": 2}}'),
					" in the model's policy.json keeps the newest two loaded.")),
		};
	}
	const places = ["First", "Second"].map((which, i) => {
		const choice = el("select", { "aria-label": `${which} version`, onchange: () => now() }, ...model.versionOptions(versions[i]));
		const place = el("div");
		const element = el("div.paper", { role: "region", "aria-label": `${which} answer` }, el("p", el("label", "Version ", choice)), place);
		return { choice, place, element };
	});
	const note = el("p.notice", { role: "status" });
	const { now, soon } = asker(async () => {
		const { name, example } = model.editor;
		const row = await model.editor.read();
		const asked = await Promise.all(places.map(async ({ choice: { value: version } }) => {
			const signature = (await send(uiPath(model.name, version))).value?.signatures?.[name];
			if (!signature) return { version };
			const fitting = Object.fromEntries(signature.inputs.filter((field) => field.name in row).map((field) => [field.name, row[field.name]]));
			return { version, signature, answer: await predict({ model: model.name, version, name, signature }, [fitting]) };
		}));
		asked.forEach(({ version, signature, answer }, i) => put(places[i].place,
			!answer ? el("p.quiet", `Version ${version} has no signature ${name}.`)
				: answer.ok ? answerView(signature, answer, example?.truth)
					: el("p.problem", answer.error)));
		model.editor.showProblems(asked.find(({ answer }) => answer && !answer.ok)?.answer);
		note.textContent = asked.every(({ answer }) => answer?.ok) ? inComparison(asked) : "";
	});
	return { element: el("div", el("div.side", ...places.map(({ element }) => element)), note), ask: soon, update };
}

function inComparison(asked) {
	const rows = asked.map(({ answer }) => answer.rows[0]);
	const readings = asked.map(({ signature }, i) => readOutputs(signature, rows[i]));
	const [first, second] = asked.map(({ version }) => version);
	const [top, other] = readings.map(topClass);
	if (top !== null) {
		if (top !== other) return `They disagree: version ${first} says ${top}, version ${second} says ${other}.`;
		const shares = readings.map((reading) => targetNumber(reading, top) ?? 0);
		return `They agree on ${top}; its probability differs by ${percent(Math.abs(shares[0] - shares[1]))}.`;
	}
	const [one, two] = readings.map(({ numbers }) => numbers[0]);
	if (!one || !two) return `The answers ${stringify(rows[0]) === stringify(rows[1]) ? "are the same" : "differ"}.`;
	const gap = difference(two.value, one.value);
	return [`Version ${second} answers`, shortNumber(Math.abs(gap), 3), one.field.unit, `${gap < 0 ? "less" : "more"}.`].filter(Boolean).join(" ");
}

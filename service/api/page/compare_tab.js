// Compare: two versions on the same input, side by side.

import { el, percent, shortNumber } from "./dom.js";
import { fetchVersion, predict } from "./api.js";
import { Asker } from "./ask.js";
import { answerView } from "./answer.js";
import { readOutputs, target as targetNumber, topClass } from "./outputs.js";

/** @type {MakeTab} */
export function compareTab(model) {
	const versions = model.loadedVersions();
	const update = () => { if (model.loadedVersions().join() !== versions.join()) model.draw(); };
	if (versions.length < 2) {
		return {
			ask: () => {}, update,
			element: el("div.paper", el("p", `Version ${versions[0]} is the only one that is loaded.`),
				el("p.quiet", "To compare it with another, let several serve: ", el("code", { text: '{"serve": {"latest": 2}}' }),
					" in the model's policy.json keeps the newest two loaded.")),
		};
	}
	const places = [0, 1].map((i) => {
		const choice = el("select", { "aria-label": i ? "Second version" : "First version", onchange: () => asker.now() },
			...model.versionOptions(versions[i]));
		const answer = el("div");
		return { choice, answer, element: el("div.paper", { role: "region", "aria-label": i ? "Second answer" : "First answer" },
			el("p", el("label", "Version ", choice)), answer) };
	});
	const difference = el("p.notice", { role: "status" });
	const asker = new Asker(async () => {
		const { editor } = model;
		const row = await editor.read();
		const asked = await Promise.all(places.map(async ({ choice }) => {
			const described = await fetchVersion(model.name, choice.value).catch(() => null);
			const signature = described?.signatures[editor.name];
			if (!signature) return { signature: null, answer: null };
			const names = new Set(signature.inputs.map((field) => field.name));
			const fitting = Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name)));
			return { signature, answer: await predict({ model: model.name, version: choice.value, name: editor.name, signature }, [fitting]) };
		}));
		places.forEach(({ answer: place, choice }, i) => {
			const { signature, answer } = asked[i];
			place.replaceChildren(!signature || !answer ? el("p.quiet", `Version ${choice.value} has no signature ${editor.name}.`)
				: answer.ok ? answerView(signature, answer, { truth: editor.example?.truth })
					: el("p.problem", answer.error));
		});
		const failed = asked.find(({ answer }) => answer && !answer.ok)?.answer;
		editor.showProblems(failed);
		difference.hidden = asked.some(({ answer }) => !answer?.ok);
		if (!difference.hidden) {
			difference.textContent = inComparison(asked, places.map(({ choice }) => choice.value));
		}
	});
	const element = el("div", el("div.side", ...places.map((place) => place.element)), difference);
	return { element, ask: () => asker.soon(), update };
}

function inComparison(asked, versions) {
	const readings = asked.map(({ signature, answer }) => readOutputs(signature, answer.rows[0]));
	const tops = readings.map(topClass);
	if (tops[0] !== null) {
		if (tops[0] !== tops[1]) return `They disagree: version ${versions[0]} says ${tops[0]}, version ${versions[1]} says ${tops[1]}.`;
		const shares = readings.map((reading) => targetNumber(reading, tops[0]) ?? 0);
		return `They agree on ${tops[0]}; its probability differs by ${percent(Math.abs(shares[0] - shares[1]))}.`;
	}
	const numbers = readings.map((reading) => reading.numbers[0]);
	if (!numbers[0] || !numbers[1]) {
		return JSON.stringify(asked[0].answer.rows[0]) === JSON.stringify(asked[1].answer.rows[0]) ? "The answers are the same." : "The answers differ.";
	}
	const gap = numbers[1].value - numbers[0].value;
	return `Version ${versions[1]} answers ${shortNumber(Math.abs(gap), 3)} ${numbers[0].field.unit || ""} ${gap < 0 ? "less" : "more"}.`.replace("  ", " ");
}

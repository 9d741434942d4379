// A version on trial: where its rollout stands, what the evidence is, and what was decided.

import { el, pill, redraw, table } from "./dom.js";
import { modelPath, send } from "./api.js";
import { poller } from "./polling.js";

const KINDS = { live: "good", "rolled back": "bad", none: "" };

/** The panel of a model's rollout; `poll` asks again. */
export function rolloutView(name) {
	const place = el("section.paper", { "aria-label": "Rollout" });
	const poll = poller(() => send(`${modelPath(name)}/rollout`), ({ ok, value, error }) => redraw(place, el("h2", "Rollout"), ...(ok ? view(value) : [el("p.problem", error)])));
	poll();
	return { element: place, poll };
}

function view({ state, sentence, reason, held, evidence = [], stages = [], decisions, earlier = [] }) {
	return [
		el("p", pill(held ? `${state}, held` : state, KINDS[state] ?? "warn"), ` ${sentence}`),
		!evidence.length && reason !== sentence && el("p.quiet", reason),
		...list("ul", "Evidence", evidence.map((each) => [each])),
		stages.length > 0 && table(["stage", "candidate answered", "failed", "champion answered", "failed", "batches in the shadow"], stages.map(({ stage, percent, candidate, champion, shadow }) =>
			[stage === "canary" ? `${stage} ${percent} %` : stage, candidate.units, candidate.failures, champion.units, champion.failures, shadow.batches]), "Stages"),
		...list("ol", "Decisions", decisions.map(({ at, decision, reason: because }) =>
			[el("b", decision), ` ${because} `, el("time.quiet", { datetime: at }, new Date(at).toLocaleString("en"))])),
		earlier.length > 0 && el("details", el("summary", `${earlier.length} earlier`),
			el("ul", ...earlier.map((each) => el("li", `Version ${each.candidate} against ${each.champion}: ${each.outcome}. ${each.reason}`)))),
	];
}

const list = (tag, title, items) => (items.length ? [el("h3", title), el(tag, ...items.map((item) => el("li", ...item)))] : []);

// The request that the page has just made, as code to copy.

import { announce, button, download, el, put } from "./dom.js";
import { send, uiPath } from "./api.js";

export function snippetsView(model) {
	const place = el("div");
	const refresh = () => { if (element.open) fill(); };
	const element = el("details", { ontoggle: refresh }, el("summary", "This request as code"), place);
	let chosen = 0;

	async function fill() {
		const { name, version, signature } = model.target();
		const row = await model.editor.read();
		const body = { signature: name, row, origin: location.origin, is_pinned: Boolean(version), is_whole: Boolean(signature.is_whole) };
		const { ok, value, error } = await send(`${uiPath(model.name, model.version.version)}/code`, { body });
		if (ok) show(value);
		else put(place, el("p.problem", error));
	}

	function show({ samples, body }) {
		const { title, code } = samples[chosen];
		const shown = el("pre", { tabindex: "0", "aria-label": title }, code);
		const buttons = samples.map((each, i) => button(each.title, () => {
			chosen = i;
			show({ samples, body });
			place.querySelectorAll("button")[i].focus();
		}, { "aria-pressed": String(i === chosen) }));
		const copy = button("Copy", async () => {
			try {
				await navigator.clipboard.writeText(code);
				announce(copy.textContent = "Copied");
			} catch {
				// Where the browser does not let pages copy, at least it is selected.
				getSelection()?.selectAllChildren(shown);
			}
		});
		const save = button("Download request.json", () => download("request.json", body, "application/json"));
		put(place, el("div.tools", ...buttons), shown, el("div.tools", copy, code.includes("request.json") && save));
	}

	return { element, refresh };
}

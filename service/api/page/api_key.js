// The API key, for services that ask for one: kept by the tab until it is closed.

import { button, el } from "./dom.js";

// The page of the API at /docs sends it as well.
const NAME = "understudy-api-key";

const keyOf = () => sessionStorage.getItem(NAME) || "";

/** The headers of a request, with the key where there is one. @param {Record<string, string>} headers */
export const withKey = (headers = {}) => (keyOf() ? { ...headers, "X-API-Key": keyOf() } : headers);

/** A field for the key, or a button to forget it. @param {() => void} onchange */
export function keyField(onchange) {
	const element = el("div.key", { hidden: true });
	function keep(key) {
		if (key) sessionStorage.setItem(NAME, key);
		else sessionStorage.removeItem(NAME);
		draw();
		onchange();
	}
	function draw() {
		if (keyOf()) {
			element.replaceChildren(button("Forget the API key", () => keep("")));
			return;
		}
		const box = el("input", { type: "password", autocomplete: "off", id: "api-key" });
		element.replaceChildren(el("form.row", {
			onsubmit: (event) => {
				event.preventDefault();
				keep(box.value.trim());
			},
		}, el("label", { for: "api-key", text: "API key" }), box, el("button", { type: "submit", text: "Use it" })));
	}
	draw();
	return element;
}

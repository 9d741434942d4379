// The API key, if the service asks for one: the tab keeps it, and /docs sends it too.

import { button, el } from "./dom.js";

const NAME = "understudy-api-key";

const keyOf = () => sessionStorage.getItem(NAME) || "";

/** The headers of a request, with the key where there is one. @param {Record<string, string>} headers */
export const withKey = (headers = {}) => (keyOf() ? { ...headers, "X-API-Key": keyOf() } : headers);

/** A field for the key, or a button to forget it. @param {() => void} onchange */
export function keyField(onchange) {
	const element = el("div.key", { hidden: true });
	function keep(key) {
		sessionStorage.setItem(NAME, key);
		draw();
		onchange();
	}
	function draw() {
		if (keyOf()) return element.replaceChildren(button("Forget the API key", () => keep("")));
		const box = el("input", { type: "password", autocomplete: "off", id: "api-key" });
		const onsubmit = (event) => {
			event.preventDefault();
			keep(box.value.trim());
		};
		element.replaceChildren(el("form.row", { onsubmit }, el("label", { for: "api-key", text: "API key" }), box, el("button", { text: "Use it" })));
	}
	draw();
	return element;
}

// The API key, if the service asks for one: the tab keeps it, and /docs sends it too.

import { button, el, secretForm } from "./dom.js";

const NAME = "understudy-api-key";

const keyOf = () => sessionStorage.getItem(NAME) || "";

/** @type {WithKey} */
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
		element.replaceChildren(keyOf() ? button("Forget the API key", () => keep("")) : secretForm("API key", keep));
	}
	draw();
	return element;
}

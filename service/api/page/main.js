// The page: shows what its address names, and keeps it up to date.

import { keyField } from "./api_key.js";
import { setText } from "./dom.js";
import { Overview } from "./polling.js";
import { ModelView } from "./model_view.js";
import { modelsView } from "./models_view.js";

const overview = new Overview();
/** @returns {any} */
const byId = (id) => document.getElementById(id);
const [main, connection] = [byId("main"), byId("connection")];
let view;
const key = keyField(() => {
	// What was refused is asked again, as after an outage.
	overview.reachable = false;
	overview.poll();
});
connection.before(key);

function show() {
	const named = /^\/models\/([^/]+)$/.exec(location.pathname)?.[1];
	// Unlike decodeURIComponent, this reads whatever an address may hold.
	const name = named && new URLSearchParams(`name=${named.replaceAll("+", "%2B").replaceAll("&", "%26")}`).get("name");
	view = name ? new ModelView(overview, name) : modelsView(overview);
	main.replaceChildren(view.element);
	for (const link of document.querySelectorAll(".bar nav a")) {
		link.ariaCurrent = link.getAttribute("href") === location.pathname ? "page" : null;
	}
}

function follow(event) {
	const link = event.target.closest("a");
	if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
	const url = new URL(link.href);
	if (url.origin !== location.origin || !/^\/($|models\/)/.test(url.pathname)) return;
	event.preventDefault();
	// To the content it is one page.
	if (!url.hash) {
		history.pushState(null, "", url.pathname);
		show();
	}
	main.focus();
	scrollTo(0, 0);
}

/** Hand dropped or pasted files to what takes them there, or first on the page. */
function takeFiles(files, place) {
	const taker = ".takes-files";
	if (files?.length) (place.closest?.(taker) ?? document.querySelector(taker))?.dispatchEvent(new CustomEvent("files", { detail: [...files] }));
}

for (const type of ["dragover", "dragleave", "drop"]) {
	document.addEventListener(type, (/** @type {any} */ event) => {
		const { files, types } = event.dataTransfer;
		if (!types.includes("Files")) return;
		event.preventDefault();
		document.body.classList.toggle("dragging", type === "dragover");
		if (type === "drop") takeFiles(files, event.target);
	});
}
// Spreadsheets put a picture beside the text that they copy.
document.addEventListener("paste", (/** @type {any} */ event) => event.target.closest?.("input, textarea") || takeFiles(event.clipboardData?.files, event.target));
document.addEventListener("click", follow);
addEventListener("popstate", show);
overview.addEventListener("change", () => {
	setText(connection, overview.reachable ? "" : "The service cannot be reached; trying again…");
	connection.classList.toggle("lost", !overview.reachable);
	key.hidden = !overview.asksForKey;
	view.update();
});
show();
overview.start();

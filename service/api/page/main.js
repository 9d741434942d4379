// The page: shows what its address names, and keeps it up to date.

import { keyField } from "./api_key.js";
import { setText } from "./dom.js";
import { Overview } from "./polling.js";
import { ModelView } from "./model_view.js";
import { ModelsView } from "./models_view.js";

const overview = new Overview();
const main = document.getElementById("main");
const connection = document.getElementById("connection");
/** @type {ModelView|ModelsView} */
let view;
const key = keyField(() => overview.poll());
connection.before(key);

/** Show what the address names. */
function show() {
	const named = /^\/models\/([^/]+)$/.exec(location.pathname);
	view = named ? new ModelView(overview, decodeURIComponent(named[1])) : new ModelsView(overview);
	main.replaceChildren(view.element);
	for (const link of document.querySelectorAll(".bar nav a")) {
		if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	}
}

function follow(event) {
	const link = (event.target).closest("a");
	if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
	const url = new URL(link.href);
	if (url.origin !== location.origin || !/^\/($|models\/)/.test(url.pathname)) return;
	event.preventDefault();
	history.pushState(null, "", url.pathname);
	show();
	main.focus();
	scrollTo(0, 0);
}

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

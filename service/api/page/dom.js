// Small helpers to make elements. Text always becomes text, never markup.

/** @type {MakeElement} */
export function el(name, props, ...children) {
	const [tag, ...classes] = name.split(".");
	const element = document.createElement(tag);
	if (classes.length) element.className = classes.join(" ");
	return fill(element, props, children);
}

export const button = (text, onclick, props = {}) => el("button", { type: "button", text, onclick, ...props });

/** A table that scrolls by itself. Each row's first cell names it. */
export const table = (head, rows, label) =>
	el("div.scroll", { tabindex: "0", role: "region", "aria-label": label }, el("table",
		el("thead", el("tr", ...head.map((text) => (text === "" ? el("td") : el("th", { scope: "col", text }))))),
		el("tbody", ...rows.map(([name, ...cells]) => el("tr", el("th", { scope: "row", text: name }), ...cells.map((cell) => (cell instanceof Node ? cell : el("td", typeof cell === "number" ? shortNumber(cell) : cell ?? ""))))))));

/** @type {MakeElement} */
export const svg = (tag, props, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

function fill(element, props, children) {
	if (props?.constructor !== Object) children.unshift(props);
	else for (const [name, value] of Object.entries(props)) {
		if (value === undefined || value === null || value === false) continue;
		if (name === "text") element.textContent = String(value);
		else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? "" : String(value));
	}
	element.append(...children.filter((child) => child !== null && child !== undefined));
	return element;
}

let count = 0;

export const newId = () => `u${++count}`;

export function announce(text) {
	const place = document.getElementById("announcer");
	if (place) place.textContent = text;
}

/** Put text into an element unless it is there already, so that nothing is read out twice. */
export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

export function shortNumber(value, digits = 4) {
	if (!Number.isFinite(value)) return String(value);
	if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9)) return value.toExponential(2);
	if (Number.isInteger(value)) return value.toLocaleString("en");
	const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
	return value.toLocaleString("en", { maximumFractionDigits: Math.min(decimals, 8) });
}

export const percent = (share) =>
	share > 0.9995 && share < 1 ? ">99.9 %" : share > 0 && share < 0.0005 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`;

export const duration = (seconds) =>
	seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;

export function download(name, content, type) {
	const url = URL.createObjectURL(new Blob([content], { type }));
	el("a", { href: url, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

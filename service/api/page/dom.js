// Small helpers to make elements. Text always becomes text, never markup.

import { stringify } from "./json.js";

/** @type {MakeElement} */
export function el(name, props, ...children) {
	const [tag, ...classes] = name.split(".");
	const element = document.createElement(tag);
	if (classes.length) element.className = classes.join(" ");
	return fill(element, props, children);
}

/** @type {MakeElement} */
export const svg = (tag, props, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

export const svgText = (x, y, text, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor }, text);

export const button = (text, onclick, props = {}) => el("button", { type: "button", onclick, ...props }, text);

/** A word in a frame, that is "good", "bad" or a "warn"ing, or nothing of these. */
export const pill = (text, kind = "") => el(`span.pill.${kind}`, text);

/** Pills that follow other words. */
export const pills = (texts) => texts.flatMap((text) => [" ", pill(text)]);

/** A table that scrolls by itself. Each row's first cell names it. */
export const table = (head, rows, label) =>
	el("div.scroll", { tabindex: "0", role: "region", "aria-label": label }, el("table",
		el("thead", el("tr", ...head.map((text) => (text === "" ? el("td") : el("th", { scope: "col" }, text))))),
		el("tbody", ...rows.map(([name, ...cells]) => el("tr", el("th", { scope: "row" }, name), ...cells.map((cell) => (cell instanceof Node ? cell : el("td", typeof cell === "number" ? shortNumber(cell) : cell))))))));

/** A form of one line; `take` gets what is in it. */
export function lineForm(label, text, take, props) {
	const box = el("input", { autocomplete: "off", id: newId(), ...props });
	const onsubmit = (event) => {
		event.preventDefault();
		take(box.value.trim());
	};
	return el("form.row", { onsubmit }, el("label", { for: box.id }, label), box, el("button", text));
}

/** The same for something secret. No header can hold other letters. */
export const secretForm = (label, take) => lineForm(label, "Use it", take, { type: "password", pattern: "[ -ÿ]*", title: "Latin letters, digits and signs" });

function fill(element, props, children) {
	if (props?.constructor !== Object) children.unshift(props);
	else for (const [name, value] of Object.entries(props)) {
		if (!isThere(value)) continue;
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? "" : String(value));
	}
	element.append(...children.filter(isThere));
	return element;
}

const isThere = (value) => value !== null && value !== undefined && value !== false;

/** Show children in place of what an element has. */
export const put = (element, ...children) => element.replaceChildren(...children.filter(isThere));

/** @type {Redraw} */
export function redraw(element, ...children) {
	const parts = () => [...element.querySelectorAll("summary,[tabindex],button")].map((part, i) =>
		({ part, key: part.type ? part.textContent : i, isOpen: part.parentElement.open, hasFocus: part === document.activeElement }));
	const before = new Map(parts().map((each) => [each.key, each]));
	put(element, ...children);
	for (const { part, key } of parts()) {
		const then = before.get(key);
		if (then?.isOpen) part.parentElement.open = true;
		if (then?.hasFocus) part.focus();
	}
}

/** Returns a function that says whether what it is given is unlike the last. */
export function changes() {
	let last = "";
	return (value) => last !== (last = stringify(value));
}

/** Colour what speaks for or against something, by how much. */
export const shade = (element, isFor, percentage) => { element.style.background = `color-mix(in srgb, var(${isFor ? "--accent" : "--bad"}) ${Math.round(percentage)}%, transparent)`; };

let count = 0;

export const newId = () => `u${++count}`;

export const announce = (text) => { setText(document.getElementById("announcer"), text); };

/** Put text into an element unless it is there already, so that nothing is read out twice. */
export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

export function shortNumber(value, digits = 4) {
	if (!Number.isFinite(value)) return value.toLocaleString("en");
	if (!Number.isSafeInteger(value) && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9)) return value.toExponential(2);
	return value.toLocaleString("en", { maximumSignificantDigits: digits, maximumFractionDigits: 0, roundingPriority: "morePrecision" });
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

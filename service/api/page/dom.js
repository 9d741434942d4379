// Small helpers to make elements. Text always becomes text, never markup.

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

/** A table that scrolls by itself. Each row's first cell names it. */
export const table = (head, rows, label) =>
	el("div.scroll", { tabindex: "0", role: "region", "aria-label": label }, el("table",
		el("thead", el("tr", ...head.map((text) => (text === "" ? el("td") : el("th", { scope: "col" }, text))))),
		el("tbody", ...rows.map(([name, ...cells]) => el("tr", el("th", { scope: "row" }, name), ...cells.map((cell) => (cell instanceof Node ? cell : el("td", typeof cell === "number" ? shortNumber(cell) : cell))))))));

/** A form for something secret, which is in the hands of `take` from then on. */
export function secretForm(label, take) {
	const id = newId();
	const box = el("input", { type: "password", autocomplete: "off", id });
	const onsubmit = (event) => {
		event.preventDefault();
		take(box.value.trim());
	};
	return el("form.row", { onsubmit }, el("label", { for: id }, label), box, el("button", "Use it"));
}

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

/** The same for what moves by itself: what was open stays so, and so does the focus. */
export function redraw(element, ...children) {
	const parts = () => [...element.querySelectorAll("summary,[tabindex]")].map((part) => ({ part, isOpen: part.parentElement.open, hasFocus: part === document.activeElement }));
	const before = parts();
	put(element, ...children);
	parts().forEach(({ part }, i) => {
		if (before[i]?.isOpen) part.parentElement.open = true;
		if (before[i]?.hasFocus) part.focus();
	});
}

let count = 0;

export const newId = () => `u${++count}`;

export const announce = (text) => { setText(document.getElementById("announcer"), text); };

/** Put text into an element unless it is there already, so that nothing is read out twice. */
export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

export function shortNumber(value, digits = 4) {
	if (!Number.isFinite(value)) return String(value);
	if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9)) return value.toExponential(2);
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

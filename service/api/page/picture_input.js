// A picture: drawn, dropped, pasted, picked or photographed.

import { announce, button, el, newId, setText } from "./dom.js";
import { openCamera } from "./camera.js";
import { filePicker } from "./file_input.js";
import { asPng, clear, drawArray, drawFile, encoded, hasBrightEdge, invert, newCanvas, readArray } from "./pictures.js";

// Of a drawing that becomes a file.
const FILE_SIZE = 112;
// As a share of the picture's width.
const BRUSH = 0.09;
const HINT = "Or drop or paste a picture here.";
const INKS = { Draw: "#fff", Erase: "#000" };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** For a field of numbers, or of a file. */
export function pictureInput({ name, dtype, picture }, context) {
	const { change, handOver } = context;
	const hint = el("p.hint", { role: "status" }, HINT);
	/** what a file or an example holds, until somebody draws on it */
	let exact;
	let ink = INKS.Draw;
	let cursor = [0.5, 0.5];
	/** where the pointer was last, while it draws */
	let last;
	const [canvas, drawing] = newCanvas(picture ? picture.size : FILE_SIZE);
	Object.assign(canvas, {
		id: newId(), className: canvas.width < 100 ? "easel" : "easel smooth", tabIndex: 0, role: "application",
		ariaRoleDescription: "drawing area",
		ariaLabel: `${name}: draw with the pointer, or move with the arrow keys and paint with the space bar`,
		onpointerdown(event) {
			canvas.setPointerCapture(event.pointerId);
			stroke((last = place(event)), last);
		},
		onpointermove(event) {
			if (last) stroke(last, (last = place(event)));
		},
		onpointerup: end, onpointercancel: end, onkeydown,
	});

	function place({ clientX, clientY }) {
		const box = canvas.getBoundingClientRect();
		return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
	}

	function end() {
		if (last) change();
		last = null;
	}

	function onkeydown(event) {
		const step = STEPS[event.key];
		if (!step && event.key !== " ") return;
		event.preventDefault();
		const before = cursor;
		if (step) cursor = cursor.map((at, i) => Math.min(1, Math.max(0, at + step[i] / 28)));
		if (!step || event.shiftKey) {
			stroke(step ? before : cursor, cursor);
			change();
		}
		announce(`${Math.round(cursor[0] * 28)} across, ${Math.round(cursor[1] * 28)} down`);
	}

	function stroke(from, to) {
		const size = canvas.width;
		exact = null;
		drawing.lineCap = drawing.lineJoin = "round";
		drawing.strokeStyle = ink;
		drawing.lineWidth = BRUSH * size;
		drawing.beginPath();
		drawing.moveTo(from[0] * size, from[1] * size);
		drawing.lineTo(to[0] * size + 0.01, to[1] * size);
		drawing.stroke();
	}

	/** Do to the canvas what makes it a drawing. */
	function redraw(draw) {
		exact = null;
		draw(canvas);
		change();
	}

	async function take(file) {
		if (!file || (picture && handOver?.(file))) return;
		const isDrawn = await drawFile(canvas, file);
		setText(hint, isDrawn || !picture ? HINT : `${file.name} is no picture that this browser can read.`);
		// Of a file the service says what is wrong.
		if (!isDrawn) {
			if (picture) return;
			clear(canvas);
		}
		if (picture && picture.channels !== 3 && hasBrightEdge(canvas)) invert(canvas);
		exact = picture ? null : await encoded(file);
		change();
	}

	const inks = Object.keys(INKS).map((name) => button(name, () => {
		ink = INKS[name];
		for (const each of inks) each.ariaPressed = String(each.textContent === name);
	}, { "aria-pressed": String(INKS[name] === ink) }));
	const element = el("div.takes-files", { onfiles: ({ detail: [file] }) => take(file) }, canvas,
		el("div.tools", ...inks, button("Clear", () => redraw(clear)), button("Invert", () => redraw(invert))),
		el("div.tools", filePicker("Choose a file…", ([file]) => take(file), { accept: "image/*" }),
			navigator.mediaDevices && button("Camera", () => openCamera(element, take))),
		hint);
	clear(canvas);
	return {
		element, control: canvas, fallback: undefined, take,
		read: () => exact || (picture ? readArray(canvas, picture, dtype.includes("int")) : asPng(canvas)),
		write(value) {
			if (picture) drawArray(canvas, value, picture);
			else if (typeof value?.b64 === "string") drawFile(canvas, value).then((isDrawn) => isDrawn || clear(canvas));
			exact = value;
		},
	};
}

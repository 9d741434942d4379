// A picture: drawn, dropped, pasted, picked or photographed.

import { announce, button, el, newId } from "./dom.js";
import { Camera } from "./camera.js";
import {
	brightness, drawArray, drawFitting, encoded, fromBase64, hasBrightEdge, invert, newCanvas, readArray, toBase64, toPng,
} from "./pictures.js";

// Of a drawing that becomes a file.
const FILE_SIZE = 112;
// As a share of the picture's width.
const BRUSH = 0.09;

export class PictureInput {
	constructor(field, shape, { change, examples }) {
		this.field = field;
		this.shape = shape;
		this.changed = change;
		/** What a file or an example holds, until somebody draws on it. @type {any} */
		this.exact = null;
		/** Takes files instead, when another signature is made for them. @type {any} */
		this.onFile = null;
		const [canvas, drawing] = newCanvas(shape ? shape.size : FILE_SIZE);
		this.canvas = canvas;
		this.drawing = drawing;
		this.ink = "#fff";
		this.cursor = [0.5, 0.5];
		this.control = canvas;
		Object.assign(canvas, {
			id: newId(), className: shape && shape.size < 100 ? "easel" : "easel smooth", tabIndex: 0, role: "application",
			ariaRoleDescription: "drawing area",
			ariaLabel: `${field.name}: draw with the pointer, or move with the arrow keys and paint with the space bar`,
		});
		this.element = el("div.takes-files", { onfiles: ({ detail: [file] }) => this.take(file) }, this.canvas, this.tools());
		this.listen();
		this.clear();
		const example = field.example ?? examples[0];
		if (example) this.write(example);
	}

	tools() {
		const picker = el("input", {
			type: "file", hidden: true, accept: "image/*", "aria-label": "Picture file",
			onchange: () => { this.take(picker.files[0]); picker.value = ""; },
		});
		const inks = Object.entries({ Draw: "#fff", Erase: "#000" }).map(([name, ink]) => button(name, () => {
			this.ink = ink;
			for (const each of inks) each.ariaPressed = String(each.textContent === name);
		}, { "aria-pressed": String(ink === this.ink) }));
		const camera = navigator.mediaDevices
			? button("Camera", () => new Camera(this.element, (photo) => this.take(photo)).open())
			: null;
		return el("div",
			el("div.tools", ...inks,
				button("Clear", () => { this.clear(); this.changed(); }),
				button("Invert", () => { invert(this.canvas); this.exact = null; this.changed(); })),
			el("div.tools", button("Choose a file…", () => picker.click()), camera, picker),
			el("p.hint", "Or drop or paste a picture here."));
	}

	listen() {
		const { canvas } = this;
		/** @type {any} */
		let last = null;
		const place = (event) => {
			const box = canvas.getBoundingClientRect();
			return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
		};
		canvas.addEventListener("pointerdown", (event) => {
			canvas.setPointerCapture(event.pointerId);
			last = place(event);
			this.stroke(last, last);
		});
		canvas.addEventListener("pointermove", (event) => {
			if (last) this.stroke(last, (last = place(event)));
		});
		const end = () => {
			if (last) this.changed();
			last = null;
		};
		canvas.addEventListener("pointerup", end);
		canvas.addEventListener("pointercancel", end);
		canvas.addEventListener("keydown", (event) => this.key(event));
	}

	key(event) {
		const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
		const step = steps[event.key];
		if (!step && event.key !== " ") return;
		event.preventDefault();
		const before = this.cursor;
		if (step) this.cursor = this.cursor.map((at, i) => Math.min(1, Math.max(0, at + step[i] / 28)));
		const now = this.cursor;
		if (event.key === " " || event.shiftKey) {
			this.stroke(event.key === " " ? now : before, now);
			this.changed();
		}
		announce(`${Math.round(now[0] * 28)} across, ${Math.round(now[1] * 28)} down`);
	}

	stroke(from, to) {
		const { drawing, canvas } = this;
		this.exact = null;
		drawing.lineCap = drawing.lineJoin = "round";
		drawing.strokeStyle = this.ink;
		drawing.lineWidth = BRUSH * canvas.width;
		drawing.beginPath();
		drawing.moveTo(from[0] * canvas.width, from[1] * canvas.height);
		drawing.lineTo(to[0] * canvas.width + 0.01, to[1] * canvas.height);
		drawing.stroke();
	}

	clear() {
		this.exact = null;
		this.drawing.fillStyle = "#000";
		this.drawing.fillRect(0, 0, this.canvas.width, this.canvas.height);
	}

	async take(file) {
		if (!file || this.onFile?.(file)) return;
		await this.show(file);
		if (this.shape && this.shape.channels !== 3 && hasBrightEdge(this.canvas)) invert(this.canvas);
		this.exact = this.shape ? null : await encoded(file);
		this.changed();
	}

	async show(file) {
		try {
			const picture = await createImageBitmap(file);
			drawFitting(this.canvas, picture, picture.width, picture.height);
		} catch {
			// The service says what is wrong with it.
			this.clear();
		}
	}

	async read() {
		if (this.exact) return this.exact;
		if (!this.shape) return { b64: toBase64(await toPng(this.canvas)) };
		return readArray(this.canvas, this.shape.channels, brightness(this.field), this.field.dtype.includes("int"));
	}

	write(value) {
		if (this.shape) drawArray(this.canvas, value, brightness(this.field));
		else if (typeof value?.b64 === "string") this.show(new Blob([fromBase64(value.b64)]));
		this.exact = value;
	}
}


// A photograph from the camera, where the browser allows one.

import { button, el } from "./dom.js";

export class Camera {
	constructor(place, done) {
		this.place = place;
		this.done = done;
	}

	async open() {
		let stream;
		try {
			stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
		} catch (error) {
			const told = el("p.problem", { role: "alert", text: `No camera: ${/** @type {Error} */ (error).message}` });
			this.place.append(told);
			return setTimeout(() => told.remove(), 6000);
		}
		const video = el("video.easel", { autoplay: true, playsinline: true, muted: true, "aria-label": "The camera's picture" });
		video.srcObject = stream;
		const close = () => {
			clearInterval(watch);
			stream.getTracks().forEach((track) => track.stop());
			box.remove();
		};
		const take = async () => {
			const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
			canvas.getContext("2d").drawImage(video, 0, 0);
			const photo = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
			close();
			this.done(photo);
		};
		const box = el("div", video, el("div.tools",
			button("Take the picture", take, { class: "main" }),
			button("Cancel", close)));
		this.place.append(box);
		// Who turns to something else is not filmed any longer.
		const watch = setInterval(() => { if (!video.isConnected) close(); }, 500);
		box.querySelector("button").focus();
	}
}

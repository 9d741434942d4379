// A photograph from the camera, where the browser allows one.

import { button, el } from "./dom.js";

export async function openCamera(place, done) {
	let stream;
	try {
		stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
	} catch (error) {
		const note = el("p.problem", { role: "alert" }, `No camera: ${/** @type {Error} */ (error).message}`);
		place.append(note);
		return setTimeout(() => note.remove(), 6000);
	}
	const video = el("video.easel", { autoplay: true, playsinline: true, muted: true, "aria-label": "The camera's picture" });
	video.srcObject = stream;
	function close() {
		clearInterval(watch);
		stream.getTracks().forEach((track) => track.stop());
		box.remove();
	}
	function take() {
		const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
		canvas.getContext("2d").drawImage(video, 0, 0);
		close();
		canvas.toBlob(done, "image/jpeg", 0.92);
	}
	const main = button("Take the picture", take, { class: "main" });
	const box = el("div", video, el("div.tools", main, button("Cancel", close)));
	place.append(box);
	// Who turns to something else is not filmed any longer.
	const watch = setInterval(() => { if (!video.isConnected) close(); }, 500);
	main.focus();
}

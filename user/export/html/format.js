// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers and names as a reader sees them, and the only way anything gets into the document: as text.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function round(value) {
	const size = Math.abs(value);
	return size >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString("en-US") : value.toFixed(1);
}

export function bytes(value) {
	let unit = 0;
	while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
		value /= 1024;
		unit++;
	}
	return round(value) + " " + UNITS[unit];
}

export const count = (value) => round(Math.abs(value) >= 100 ? Math.round(value) : value);

export const isBytes = (metric) => metric.endsWith("_bytes");
// What is live is a state; the others happened in the time that was looked at, so they have a rate.
export const isRate = (metric) => !metric.startsWith("live_");

export const amount = (metric, value) => (isBytes(metric) ? bytes(value) : count(value));
export const signed = (metric, value) => (value > 0 ? "+" : "") + amount(metric, value);

export function percent(part, whole) {
	if (!whole)
		return "–";
	const value = (part * 100) / whole;
	return (Math.abs(value) > 0 && Math.abs(value) < 0.1 ? (value < 0 ? "> −0.1" : "< 0.1") : value.toFixed(1)) + " %";
}

export function seconds(value) {
	if (value < 120)
		return value.toFixed(value < 10 ? 2 : 1) + " s";
	const minutes = Math.floor(value / 60);
	return minutes < 120 ? `${minutes} min ${Math.round(value - minutes * 60)} s` :
		`${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// What no reader can see, or what turns the text around, is "?": names come from the program that was looked at.
export const clean = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");

// el("td.num", { title: "..." }, "text", node, ...): null children are left out.
export function el(what, attributes, ...children) {
	const [tag, ...classes] = what.split(".");
	const node = document.createElement(tag);
	if (classes.length)
		node.className = classes.join(" ");
	for (const [key, value] of Object.entries(attributes || {}))
		if (value !== null && value !== undefined)
			node.setAttribute(key, clean(value));
	for (const child of children.flat())
		if (child !== null && child !== undefined)
			node.append(child instanceof Node ? child : clean(child));
	return node;
}

// A number: its text, and exactly.
export const data = (value, text) => el("data", { value, title: typeof value === "number" ? value.toLocaleString("en-US") : value }, text);

export const METRIC_NAMES = {
	alloc_bytes: "Allocated bytes",
	alloc_objects: "Allocated objects",
	live_bytes: "Live bytes",
	live_objects: "Live objects",
	rss_bytes: "RSS growth",
};

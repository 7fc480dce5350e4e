// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flame graph, root on top: SVG of what is at least a pixel wide, made anew at each change. So what is in the
 * document is bounded by what a screen can show, however many stacks there are.
 */
import { clean } from "./format.js";

const NS = "http://www.w3.org/2000/svg";
const ROW = 19, LETTER = 6.6, MIN_WIDTH = 1, COLOURS = 8;

// One colour for a package, a library, a namespace: the name up to what is only the function's.
function colourOf(name) {
	const place = name.replace(/^\[|\(.*$/g, "").replace(/(\.|::|\+0x).*$/s, "");
	let hash = 5381;
	for (let i = 0; i < place.length; i++)
		hash = (hash * 33 + place.charCodeAt(i)) | 0;
	return (hash >>> 0) % COLOURS;
}

function make(tag, attributes) {
	const node = document.createElementNS(NS, tag);
	for (const key in attributes)
		node.setAttribute(key, attributes[key]);
	return node;
}

export class Flame {
	// on: { zoom(node), over(node or null, event) }
	constructor(profile, svg, on) {
		Object.assign(this, { profile, svg, on, focus: 0, hits: null, metric: null, base: "after" });
		this.colours = profile.strings.map(colourOf);
		svg.addEventListener("click", (event) => {
			if (event.target.node !== undefined)
				this.on.zoom(event.target.node);
		});
		svg.addEventListener("mousemove", (event) => this.on.over(event.target.node ?? null, event));
		svg.addEventListener("mouseleave", (event) => this.on.over(null, event));
	}

	// Nodes to draw, as [node, depth, x, width].
	layout(width) {
		const { parent, children, sums } = this.profile;
		const { total } = this.base === "before" ? sums[this.metric].before : sums[this.metric];
		const out = [], path = [];
		for (let node = this.focus; ; node = parent[node]) {
			path.unshift(node);
			if (!node)
				break;
		}
		path.forEach((node, depth) => out.push([node, depth, 0, width]));
		const scale = total[this.focus] > 0 ? width / total[this.focus] : 0;
		const todo = [[this.focus, path.length, 0]];
		while (todo.length) {
			let [node, depth, x] = todo.pop();
			for (let i = children.first[node]; i < children.first[node + 1]; i++) {
				const child = children.list[i], w = total[child] * scale;
				if (w >= MIN_WIDTH) {
					out.push([child, depth, x, w]);
					todo.push([child, depth + 1, x]);
				}
				x += w;
			}
		}
		return out;
	}

	// Class and strength of a node's colour.
	shade(node) {
		if (!this.profile.isDiff)
			return ["c" + (node ? this.colours[this.profile.name[node]] : "root"), 1];
		const sums = this.profile.sums[this.metric];
		const after = sums.total[node], before = sums.before.total[node];
		const change = (after - before) / Math.max(after, before, 1e-9);
		return [change > 0 ? "more" : change < 0 ? "less" : "same", Math.max(0.12, Math.min(1, Math.abs(change)))];
	}

	draw() {
		const width = Math.max(200, this.svg.parentNode.clientWidth);
		const boxes = this.layout(width), content = document.createDocumentFragment();
		const depth = boxes.reduce((most, box) => Math.max(most, box[1]), 0) + 1;
		const pathLength = boxes.findIndex((box) => box[0] === this.focus);
		boxes.forEach(([node, level, x, w], i) => {
			const [shade, strength] = this.shade(node);
			const hit = this.hits && this.hits[node] === 1 ? " hit" : this.hits ? " miss" : "";
			const rect = make("rect", { x: x.toFixed(2), y: level * ROW, width: Math.max(0.5, w - 0.6).toFixed(2), height: ROW - 1,
				class: shade + hit + (i < pathLength ? " above" : "") });
			if (strength < 1)
				rect.setAttribute("fill-opacity", strength.toFixed(2));
			rect.node = node;
			content.append(rect);
			const letters = Math.floor((w - 7) / LETTER);
			if (letters < 3)
				return;
			const name = clean(this.profile.nameOf(node)), text = make("text", { x: (x + 4).toFixed(2), y: level * ROW + 13 });
			text.textContent = name.length > letters ? name.slice(0, letters - 1) + "…" : name;
			content.append(text);
		});
		this.svg.setAttribute("width", width);
		this.svg.setAttribute("height", depth * ROW);
		this.svg.replaceChildren(content);
	}
}

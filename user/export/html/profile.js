// SPDX-License-Identifier: GPL-2.0-or-later
import { isRate } from "./format.js";

// The data of the page (user/export/html.c has its format) and what is added up from it. No document here.

// For each node what it has itself, and with all below it. What is negative (RSS given back) has no area: it is 0 in
// `total`, and in `shrunk` as a sum.
function addUp(parent, nodes, values) {
	const self = new Float64Array(parent.length);
	for (let i = 0; i < nodes.length; i++)
		self[nodes[i]] += values[i];
	const total = new Float64Array(parent.length);
	let shrunk = 0;
	for (let n = parent.length - 1; n >= 0; n--) { // a node stands behind its parent
		if (self[n] < 0)
			shrunk += self[n];
		else
			total[n] += self[n];
		if (n)
			total[parent[n]] += total[n];
	}
	return { self, total, shrunk };
}

// The children of node n are list[first[n]] to list[first[n + 1] - 1], by name.
function childrenOf(parent, name, strings) {
	const order = Array.from(strings.keys()).sort((a, b) => (strings[a] < strings[b] ? -1 : strings[a] > strings[b] ? 1 : 0));
	const rank = new Uint32Array(strings.length);
	order.forEach((id, i) => (rank[id] = i));
	const nodes = Uint32Array.from({ length: parent.length - 1 }, (_, i) => i + 1);
	nodes.sort((a, b) => rank[name[a]] - rank[name[b]]);
	const first = new Uint32Array(parent.length + 1);
	for (const n of nodes)
		first[parent[n] + 1]++;
	for (let i = 1; i < first.length; i++)
		first[i] += first[i - 1];
	const next = first.slice();
	const list = new Uint32Array(nodes.length);
	for (const n of nodes)
		list[next[parent[n]]++] = n;
	return { first, list };
}

export class Profile {
	// Of the values of a difference, whose windows may be of unknown length.
	unit(metric) {
		return this.hasRates && isRate(metric) ? "/s" : "";
	}

	constructor(raw) {
		if (raw.format !== 1)
			throw new Error(`data of format ${raw.format}, not 1`);
		this.raw = raw;
		this.about = raw.about;
		this.isDiff = raw.kind === "diff";
		this.hasRates = this.isDiff && this.about.before.duration_s !== null && this.about.after.duration_s !== null;
		this.metrics = raw.metrics;
		this.strings = raw.strings;
		this.parent = Uint32Array.from(raw.nodes.parent);
		this.name = Uint32Array.from(raw.nodes.name);
		this.children = childrenOf(this.parent, this.name, this.strings);
		this.sums = {};
		for (const metric of this.metrics) {
			const sums = addUp(this.parent, raw.rows.node, raw.rows.values[metric]);
			if (this.isDiff)
				sums.before = addUp(this.parent, raw.rows.node, raw.rows.before[metric]);
			this.sums[metric] = sums;
		}
		this.seconds = this.isDiff ? 0 : this.about.duration_s;
	}

	nameOf(node) {
		if (node)
			return this.strings[this.name[node]];
		return this.isDiff ? "all" : this.about.target.length > 1 ? "all processes" : "all";
	}

	// For each node: is it the outermost on its stack whose name has `text` in it? Also what they add up to.
	search(text, metric) {
		const needle = text.toLowerCase();
		const isHit = this.strings.map((s) => s.toLowerCase().includes(needle));
		const { total } = this.sums[metric];
		const hits = new Uint8Array(this.parent.length); // 1: this one, 2: below one
		let sum = 0, n = 0;
		for (let node = 1; node < hits.length; node++) {
			const below = hits[this.parent[node]] !== 0;
			if (isHit[this.name[node]]) {
				hits[node] = 1;
				n += total[node] > 0;
				if (!below)
					sum += total[node];
			} else if (below) {
				hits[node] = 2;
			}
		}
		return { hits, sum, n };
	}

	// Rows by site or type: [{ name, file, line, values: { metric: [value, before] } }].
	groups(by) {
		const { rows, sites } = this.raw;
		const found = new Map();
		for (let i = 0; i < rows.node.length; i++) {
			const isRss = rows.source[i] === "rss";
			const key = by === "site" ? rows.site[i] : `${rows.type[i]} ${isRss}`;
			let group = found.get(key);
			if (!group) {
				group = { name: "", file: "", line: 0, isRss, values: {} };
				for (const metric of this.metrics)
					group.values[metric] = [0, 0];
				if (by === "type")
					group.name = rows.type[i] ? this.strings[rows.type[i]] : "(type not known)";
				else if (key === null)
					group.name = "[lost stack]";
				else
					Object.assign(group, { name: this.strings[sites.name[key]], file: this.strings[sites.file[key]],
						line: sites.line[key] });
				found.set(key, group);
			}
			for (const metric of this.metrics) {
				group.values[metric][0] += rows.values[metric][i];
				group.values[metric][1] += this.isDiff ? rows.before[metric][i] : 0;
			}
		}
		return [...found.values()];
	}
}

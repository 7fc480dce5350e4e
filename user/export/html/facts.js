// SPDX-License-Identifier: GPL-2.0-or-later
// What the report says of the capture itself: header, RSS ledger, losses, cost.
import { amount, bytes, count, data, el, METRIC_NAMES, percent, seconds, signed } from "./format.js";

const SOURCE_NAMES = { go: "Go", malloc: "malloc", mmap: "mmap", rss: "RSS" };

function tile(label, value, note) {
	return el("div.tile", null, el("span.label", null, label), el("span.value", null, value), el("span.note", null, note || "\u00a0"));
}

const bytesOf = (value) => (value === null || value === undefined ? "–" : data(value, bytes(value)));
const signedOf = (value) => (value === null || value === undefined ? "–" : data(value, signed("x_bytes", value)));
const countOf = (value) => (value === null || value === undefined ? "–" : data(value, count(value)));

function spread(se, text) {
	return se ? ` ± ${text(se)}` : "";
}

function profileTiles(about) {
	const out = [];
	for (const source of ["go", "malloc", "mmap"]) {
		const t = about.totals[source];
		if (!t)
			continue;
		const name = SOURCE_NAMES[source];
		out.push(tile(`${name} allocated`, bytesOf(t.alloc_bytes),
			(about.duration_s ? bytes(t.alloc_bytes / about.duration_s) + "/s" : "") + spread(t.alloc_bytes_se, bytes)));
		out.push(tile(`${name} objects`, countOf(t.alloc_objects),
			(about.duration_s ? count(t.alloc_objects / about.duration_s) + "/s" : "") + spread(t.alloc_objects_se, count)));
		if (t.live_bytes !== null)
			out.push(tile(`${name} live`, bytesOf(t.live_bytes), count(t.live_objects) + " objects" + spread(t.live_bytes_se, bytes)));
	}
	const { rss } = about;
	if (rss.end_bytes !== null)
		out.push(tile("RSS", bytesOf(rss.end_bytes), signed("x_bytes", rss.end_bytes - rss.start_bytes) + " since the start"));
	return out;
}

function changeTile(label, change, metric, unit) {
	return tile(label, data(change.change, signed(metric, change.change) + unit),
		`${amount(metric, change.before)} → ${amount(metric, change.after)}${unit}` + (change.noise ? ", no more than chance" : ""));
}

function diffTiles(about) {
	const out = [];
	for (const source of ["go", "malloc", "mmap"])
		for (const [key, change] of Object.entries(about.totals[source] || {})) {
			if (!change || about.totals[source][key + "_per_s"])
				continue; // the rate says it
			const metric = key.replace(/_per_s$/, "");
			const label = `${SOURCE_NAMES[source]} ${METRIC_NAMES[metric].toLowerCase()}`;
			out.push(changeTile(label, change, metric, key.endsWith("_per_s") ? "/s" : ""));
		}
	if (about.totals.rss_bytes)
		out.push(changeTile("RSS at the end", about.totals.rss_bytes, "rss_bytes", ""));
	return out;
}

function lossLine(events, pct, mode) {
	const parts = [];
	if (mode)
		parts.push(el("span.badge", null, mode));
	parts.push(events ? el("span.badge.bad", { id: "losses" }, `${count(events)} events lost: numbers are too low`) :
		el("span.badge.good", { id: "losses" }, "nothing lost"));
	if (pct !== undefined)
		parts.push(el("span.badge", null, pct === null ? "cost not known" : `cost ${pct.toFixed(pct < 10 ? 1 : 0)} % of the target's CPU`));
	return el("p.badges", null, parts);
}

export function drawHead(place, profile, themeButton) {
	const { about } = profile;
	let title, sub, badges;
	if (profile.isDiff) {
		title = [el("span.mono", null, about.before.name), el("span.dim", null, " → "), el("span.mono", null, about.after.name)];
		sub = ["before", "after"].map((side) => `${side}: ${about[side].start}, ${seconds(about[side].duration_s)}`).join(" · ");
		badges = lossLine(about.before.lost_events + about.after.lost_events);
	} else {
		const t = about.target;
		title = t.length ? t.slice(0, 3).map((p, i) => [i ? ", " : null, el("span.mono", null, p.comm || "pid"),
			el("span.dim", null, ` ${p.pid}`)]).flat() : ["allocsnoop"];
		if (t.length > 3)
			title.push(el("span.dim", null, ` and ${t.length - 3} more`));
		sub = [t[0] && t[0].exe, t[0] && t[0].runtime, about.start, seconds(about.duration_s)].filter(Boolean).join(" · ");
		badges = lossLine(about.losses.events, about.overhead.pct, about.mode);
	}
	place.replaceChildren(el("div.bar", null, el("div", null, el("h1", null, title), el("p.dim", null, sub)), themeButton), badges,
		el("div.tiles", { id: "tiles" }, profile.isDiff ? diffTiles(about) : profileTiles(about)));
	document.title = "allocsnoop: " + place.querySelector("h1").textContent;
}

function table(id, heads, rows) {
	return el("table", { id }, el("thead", null, el("tr", null, heads.map((h, i) => el(i ? "th.num" : "th", null, h)))),
		el("tbody", null, rows.map((row) => el("tr", null, row.map((cell, i) => el(i ? "td.num" : "td", null, cell))))));
}

export function drawRss(place, profile) {
	const { rss } = profile.about;
	if (profile.isDiff || !rss || rss.end_bytes === null) {
		place.hidden = true;
		return;
	}
	const heads = ["", "start", "grown", "given back", "unexplained", "end"];
	const line = (name, r) => [name, bytesOf(r.start_bytes), bytesOf(r.grown_bytes), bytesOf(r.released_bytes),
		signedOf(r.unexplained_bytes), bytesOf(r.end_bytes)];
	const parts = [el("h2", null, "RSS ledger"), el("p.dim", null, `by ${rss.method || "nobody"}: end = start + grown − given back + unexplained`),
		table("ledger", heads, [line("RSS", rss), ...Object.entries(rss.kinds || {}).map(([name, r]) => line("  " + name, r))])];
	const areas = Object.entries(rss.areas || {});
	if (areas.length)
		parts.push(table("areas", ["what the pages are for", "grown", "given back"],
			areas.map(([name, a]) => [name, bytesOf(a.grown_bytes), bytesOf(a.released_bytes)])));
	if (rss.go && rss.go.causes && rss.go.causes.length)
		parts.push(table("causes", ["what Go's RSS is made of", "bytes"], rss.go.causes.map((c) => [c.cause, bytesOf(c.bytes)])));
	place.replaceChildren(...parts.slice(0, 2), el("div.side", null, parts.slice(2)));
}

export function drawFacts(place, profile) {
	const { about } = profile;
	const parts = [el("h2", null, "How it was measured")];
	if (profile.isDiff) {
		parts.push(table("facts", ["", "before", "after"], [
			["recording", about.before.name, about.after.name], ["start", about.before.start, about.after.start],
			["duration", seconds(about.before.duration_s), seconds(about.after.duration_s)],
			["lost events", countOf(about.before.lost_events), countOf(about.after.lost_events)]]));
	} else {
		const o = about.overhead;
		const rows = [["mode", about.mode], ["probe hits", countOf(o.hits)],
			["traps and programs", ((o.trap_ns + o.bpf_ns) / 1e9).toFixed(3) + " s"],
			["CPU of the target", seconds(o.target_cpu_s)],
			["cost", o.pct === null ? "–" : percent(o.pct, 100)], ["kernel", about.kernel]];
		if (about.sampling)
			rows.splice(1, 0, ["seen in bursts", `${count(about.sampling.bursts)}, ${seconds(about.sampling.bursts_s)} in all`]);
		if (about.live)
			rows.splice(1, 0, ["live memory", about.live.source]);
		parts.push(table("facts", ["capture", ""], rows));
		const losses = Object.entries(about.losses).filter(([name, n]) => name !== "events" && n);
		if (losses.length)
			parts.push(table("loss-table", ["lost or incomplete", "count"], losses.map(([name, n]) =>
				[[el("span.mono", null, name), el("span.dim", null, " " + (profile.raw.loss_texts[name] || ""))], countOf(n)])));
	}
	place.replaceChildren(parts[0], el("div.side", null, parts.slice(1)), el("p.dim", null, about.tool));
}

// SPDX-License-Identifier: GPL-2.0-or-later
// RSS, live heap and allocation rate over time; ends of garbage collections where there are any.
import uPlot from "uplot";
import { bytes } from "./format.js";

const POWERS = Array.from({ length: 50 }, (_, i) => 2 ** i); // steps of an axis of bytes

// Per second, from the moment before: nothing at the first.
function rates(moments, key) {
	return moments.map((m, i) => {
		const last = moments[i - 1];
		return last && m[key] !== null && m.t_s > last.t_s ? (m[key] - last[key]) / (m.t_s - last.t_s) : null;
	});
}

function columns(moments) {
	const out = [{ label: "RSS", colour: "--rss", scale: "bytes", values: moments.map((m) => m.rss_bytes) }];
	if (moments.some((m) => m.live_bytes !== null))
		out.push({ label: "Live heap", colour: "--live", scale: "bytes", values: moments.map((m) => m.live_bytes) });
	if (moments.some((m) => m.alloc_bytes !== null))
		out.push({ label: "Allocation rate", colour: "--rate", scale: "rate", values: rates(moments, "alloc_bytes") });
	return out;
}

function drawMarks(plot, marks, colour) {
	const { ctx, bbox } = plot;
	ctx.save();
	ctx.strokeStyle = colour;
	ctx.setLineDash([3, 3]);
	ctx.beginPath();
	for (const at of marks) {
		const x = plot.valToPos(at, "x", true);
		ctx.moveTo(x, bbox.top);
		ctx.lineTo(x, bbox.top + bbox.height);
	}
	ctx.stroke();
	ctx.restore();
}

// Draws into @place, which is emptied; returns the plot, or null with less than two moments.
export function drawTimeline(place, moments, marks) {
	place.replaceChildren();
	if (!moments || moments.length < 2)
		return null;
	const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
	const series = columns(moments), size = { size: 76, stroke: colour("--dim"), font: "11px " + colour("--sans") };
	const lines = { grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
	const text = { bytes, rate: (value) => bytes(value) + "/s" };
	const axis = (scale, side, grid) => ({ ...size, ...lines, scale, side, incrs: POWERS, grid: grid ? lines.grid : { show: false },
		values: (_, splits) => splits.map(text[scale]) });
	const hasRate = series.some((s) => s.scale === "rate");
	return new uPlot({
		width: Math.max(200, place.clientWidth),
		height: 210,
		scales: { x: { time: false }, bytes: { range: (_, low, high) => [0, high * 1.08 || 1] },
			rate: { range: (_, low, high) => [0, high * 1.08 || 1] } },
		axes: [{ ...size, ...lines, size: 34, values: (_, splits) => splits.map((s) => s + " s") }, axis("bytes", 3, true)]
			.concat(hasRate ? [axis("rate", 1, false)] : []),
		series: [{ label: "Time", value: (_, s) => (s === null ? "–" : s.toFixed(1) + " s") }].concat(series.map((s) => ({
			label: s.label, scale: s.scale, stroke: colour(s.colour), width: 1.6, points: { show: moments.length < 8 },
			fill: s.label === "RSS" ? colour("--rss-area") : undefined,
			value: (_, v) => (v === null ? "–" : text[s.scale](v)),
		}))),
		hooks: { draw: marks && marks.length ? [(plot) => drawMarks(plot, marks, colour("--dim"))] : [] },
		cursor: { drag: { x: true, y: false } },
	}, [moments.map((m) => m.t_s), ...series.map((s) => s.values)], place);
}

// SPDX-License-Identifier: GPL-2.0-or-later
// The report: reads the data that stands in the page, and wires its parts.
import { amount, bytes, clean, count, data, el, isRate, METRIC_NAMES, percent, signed } from "./format.js";
import { drawFacts, drawHead, drawRss } from "./facts.js";
import { Flame } from "./flame.js";
import { Profile } from "./profile.js";
import { Tables } from "./tables.js";
import { drawTimeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const root = document.documentElement;

function setTheme(theme) {
	root.dataset.theme = theme;
}

function tooltip(profile, node, metric) {
	const rows = profile.metrics.filter((m) => profile.sums[m].total[node] || (profile.isDiff && profile.sums[m].before.total[node])).map((m) => {
		const { total, self, before } = profile.sums[m], value = total[node];
		if (profile.isDiff) {
			const was = before.total[node], per = profile.unit(m);
			return [METRIC_NAMES[m], `${amount(m, was)}${per} → ${amount(m, value)}${per}`, signed(m, value - was) + per,
				was ? percent(value - was, was) : "new"];
		}
		return [METRIC_NAMES[m], amount(m, value), percent(value, total[0]),
			isRate(m) && profile.seconds ? amount(m, value / profile.seconds) + "/s" : self[node] > 0 ? `self ${amount(m, self[node])}` : ""];
	});
	return [el("p.mono", null, profile.nameOf(node)),
		el("table", null, rows.map((row) => el("tr", null, row.map((cell, i) => el(i ? "td.num" : "td", null, cell)))))];
}

function placeTip(tip, event) {
	const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
	const y = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18;
	tip.style.left = Math.max(4, x) + "px";
	tip.style.top = Math.max(4, y) + "px";
}

function start() {
	const profile = new Profile(JSON.parse($("data").textContent));
	const dark = matchMedia("(prefers-color-scheme: dark)");
	const state = { metric: profile.metrics.includes(profile.raw.metric) ? profile.raw.metric : profile.metrics[0], node: null };
	const themeButton = el("button", { id: "theme", type: "button", title: "Dark or light" }, "◐");
	setTheme(dark.matches ? "dark" : "light");
	drawHead($("head"), profile, themeButton);
	drawRss($("rss-section"), profile);
	drawFacts($("facts-section"), profile);

	const timePlace = el("div", { id: "timeline" });
	const moments = profile.isDiff ? null : profile.about.rss.timeline;
	$("time-section").replaceChildren(el("h2", null, "Over time"), timePlace);
	const drawTime = () => ($("time-section").hidden = !drawTimeline(timePlace, moments, profile.raw.gc_marks_s));
	const redrawTheme = (theme) => {
		setTheme(theme);
		drawTime();
	};
	dark.addEventListener("change", () => redrawTheme(dark.matches ? "dark" : "light"));
	themeButton.addEventListener("click", () => redrawTheme(root.dataset.theme === "dark" ? "light" : "dark"));
	if (!state.metric) {
		$("flame-section").replaceChildren(el("p.dim", null, "Nothing was allocated while this was recorded."));
		drawTime();
		return;
	}

	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	svg.id = "flame";
	svg.setAttribute("role", "img");
	const find = el("input", { id: "search", type: "search", placeholder: "Search  /", "aria-label": "Search functions", spellcheck: "false" });
	const found = el("span.dim", { id: "found" }), note = el("span.dim", { id: "note" });
	const total = el("strong", { id: "total" });
	const pick = el("select", { id: "metric", "aria-label": "What is shown" }, profile.metrics.map((m) => el("option", { value: m }, METRIC_NAMES[m])));
	const base = el("button", { id: "base", type: "button", title: "Whose numbers are the widths" }, "widths: after");
	const reset = el("button", { id: "reset", type: "button", title: "Esc" }, "Reset");
	$("flame-section").replaceChildren(
		el("div.bar", null, el("div.controls", null, pick, total, profile.isDiff ? base : null, note),
			el("div.controls", null, found, find, reset)),
		el("div.flame", null, svg),
		...(profile.isDiff ? [el("p.legend.dim", null, el("i.more"), "more than before", el("i.less"), "less than before")] : []));

	const tip = $("tip");
	const hideTip = () => ((tip.hidden = true), (state.node = null));
	const flame = new Flame(profile, svg, {
		zoom(node) {
			flame.focus = node;
			hideTip();
			draw();
		},
		over(node, event) {
			if (node === null)
				return hideTip();
			if (node !== state.node)
				tip.replaceChildren(...tooltip(profile, node, state.metric));
			state.node = node;
			tip.hidden = false;
			placeTip(tip, event);
		},
	});
	const tables = new Tables(profile, $("tables-section"), {
		metric: (metric) => show(metric),
		search(text) {
			find.value = clean(text);
			search();
		},
	});

	function draw() {
		flame.draw();
		reset.disabled = !flame.focus && !find.value;
	}

	function search() {
		const text = find.value.trim();
		const result = text ? profile.search(text, state.metric) : null;
		flame.hits = result && result.hits;
		found.replaceChildren();
		if (result)
			found.append(data(result.sum, amount(state.metric, result.sum)), ` in ${count(result.n)} frames, `,
				percent(result.sum, profile.sums[state.metric].total[0]));
		draw();
	}

	function show(metric) {
		const sums = profile.sums[metric];
		state.metric = metric;
		flame.metric = metric;
		if (!sums.total[flame.focus])
			flame.focus = 0;
		pick.value = metric;
		const per = profile.unit(metric);
		const whole = sums.total[0], was = profile.isDiff ? sums.before.total[0] : 0;
		total.replaceChildren(profile.isDiff ? `${amount(metric, was)}${per} → ` : "", data(whole, amount(metric, whole) + per),
			!profile.isDiff && isRate(metric) && profile.seconds ? ` · ${amount(metric, whole / profile.seconds)}/s` : "");
		note.replaceChildren(sums.shrunk ? `and ${bytes(-sums.shrunk)}${per} given back, not drawn` : "");
		tables.draw(metric);
		search();
	}

	function resetAll() {
		flame.focus = 0;
		find.value = "";
		hideTip();
		search();
	}

	pick.addEventListener("change", () => show(pick.value));
	find.addEventListener("input", search);
	reset.addEventListener("click", resetAll);
	base.addEventListener("click", () => {
		flame.base = flame.base === "after" ? "before" : "after";
		base.textContent = "widths: " + flame.base;
		draw();
	});
	addEventListener("keydown", (event) => {
		if (event.key === "/" && event.target !== find) {
			event.preventDefault();
			find.focus();
		} else if (event.key === "Escape") {
			find.blur();
			resetAll();
		}
	});
	let resizing = 0;
	addEventListener("resize", () => {
		cancelAnimationFrame(resizing);
		resizing = requestAnimationFrame(() => {
			draw();
			drawTime();
		});
	});
	show(state.metric);
	drawTime();
	performance.mark("drawn");
}

start();

// SPDX-License-Identifier: GPL-2.0-or-later
// What allocates, by site and by type. The column of the metric that is shown orders the rows; a click on another shows that.
import { amount, data, el, METRIC_NAMES, percent, signed } from "./format.js";

function shortFile(file, line) {
	return file ? file.split("/").slice(-2).join("/") + (line ? ":" + line : "") : "";
}

export class Tables {
	// on: { metric(name), search(text) }
	constructor(profile, place, on) {
		Object.assign(this, { profile, place, on, by: "site", all: false, groups: { site: profile.groups("site"), type: profile.groups("type") } });
		place.addEventListener("click", (event) => this.click(event));
	}

	click(event) {
		const { by, metric, all, find } = event.target.closest("[data-by],[data-metric],[data-all],[data-find]")?.dataset || {};
		if (by)
			this.by = by;
		else if (all)
			this.all = !this.all;
		else if (metric)
			return this.on.metric(metric);
		else if (find !== undefined)
			return this.on.search(event.target.closest("tr").site);
		else
			return;
		this.draw(this.metric);
	}

	cells(metric, [value, before]) {
		const { isDiff } = this.profile;
		if (!isDiff)
			return el("td.num", null, value ? data(value, amount(metric, value)) : "");
		const change = value - before;
		return el("td.num" + (change > 0 ? ".up" : change < 0 ? ".down" : ""), { title: `${amount(metric, before)} → ${amount(metric, value)}` },
			change ? data(change, signed(metric, change) + this.profile.unit(metric)) : "");
	}

	draw(metric) {
		this.metric = metric;
		const { isDiff, metrics } = this.profile, top = this.profile.raw.top;
		const size = (g, m) => (isDiff ? Math.abs(g.values[m][0] - g.values[m][1]) : g.values[m][0]);
		const order = [metric, ...metrics]; // where the first says nothing the others do
		const compare = (a, b) => order.reduce((so, m) => so || size(b, m) - size(a, m), 0);
		const rows = this.groups[this.by].filter((g) => metrics.some((m) => g.values[m][0] || g.values[m][1])).sort(compare);
		const whole = this.profile.sums[metric].total[0];
		const head = el("tr", null, el("th", null, this.by === "site" ? "Site" : "Type"), metrics.map((m) =>
			el("th.num" + (m === metric ? ".on" : ""), null, el("button", { "data-metric": m, type: "button" }, METRIC_NAMES[m]))),
			isDiff ? null : el("th.num", null, "share"));
		const body = (this.all ? rows : rows.slice(0, top)).map((g) => {
			const tr = el("tr", { "data-find": this.by === "site" ? "1" : null },
				el("td", null, el("span.mono", null, g.name), g.isRss && this.by === "type" ? el("span.dim", null, " pages") : null,
					el("span.dim.file", { title: g.file }, shortFile(g.file, g.line))),
				metrics.map((m) => this.cells(m, g.values[m])),
				isDiff ? null : el("td.num", null, g.values[metric][0] > 0 ? percent(g.values[metric][0], whole) : ""));
			tr.site = g.name;
			return tr;
		});
		const tab = (by, name) => el("button" + (this.by === by ? ".on" : ""), { type: "button", "data-by": by }, name);
		this.place.replaceChildren(el("div.bar", null, el("div.tabs", null, tab("site", "Sites"), tab("type", "Types")),
			rows.length > top ? el("button", { type: "button", "data-all": "1" }, this.all ? `Top ${top}` : `All ${rows.length}`) : null),
			el("div.scroll", null, el("table", { id: "groups" }, el("thead", null, head), el("tbody", null, body))));
	}
}

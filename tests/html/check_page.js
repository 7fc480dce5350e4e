#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_page.js profile PAGE JSON [TEXT] | diff PAGE JSON | crowd PAGE STACKS OBJECTS BYTES | marks PAGE
 *
 * Opens the page from its file as a reader would and compares what it shows with allocsnoop's JSON of the same capture, or
 * with what the program said of itself. TEXT: something to search, a part of functions' names.
 */
const assert = require("assert");
const fs = require("fs");
const { Browser } = require("./browser.js");

const load = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
const rects = "document.querySelectorAll('#flame rect').length";
const number = (where) => `Number(document.querySelector(${JSON.stringify(where)}).value)`;
const text = (where) => `document.querySelector(${JSON.stringify(where)}).textContent`;
// The box whose label begins so.
const box = (name) => `[...document.querySelectorAll("#flame text")].find((t) => t.textContent.startsWith(${JSON.stringify(name)})).previousSibling`;

async function pick(b, metric) {
	await b.eval(`{ const s = document.getElementById("metric"); s.value = ${JSON.stringify(metric)}; s.dispatchEvent(new Event("change")); }`);
	assert.equal(await b.eval('document.getElementById("metric").value'), metric);
}

// What a graph of the metric adds up to: stacks by the names of their functions, without those that gave back more.
function sumOf(json, metric, wants = () => true) {
	const stacks = new Map();
	for (const s of json.stacks) {
		if (metric === "rss_bytes" ? s.source !== "rss" : !["go", "malloc"].includes(s.source))
			continue;
		const key = [s.pid, ...s.frames.map((f) => f.func)].join("\n");
		const seen = stacks.get(key) || { sum: 0, stack: s };
		seen.sum += s[metric];
		stacks.set(key, seen);
	}
	return [...stacks.values()].filter((s) => s.sum > 0 && wants(s.stack)).reduce((sum, s) => sum + s.sum, 0);
}

async function typed(b, letters) {
	await b.key("/", "/");
	assert.equal(await b.eval("document.activeElement.id"), "search", "/ goes to the search");
	await b.send("Input.insertText", { text: letters });
}

async function checkClean(b, page) {
	assert.deepEqual(b.problems, [], "console");
	assert.equal(b.requests.length, 1, b.requests.join());
	assert.ok(b.requests[0].startsWith("file://") && b.requests[0].endsWith(page.split("/").pop()));
}

// Nothing but the page's own script runs, and nothing is fetched.
async function checkPolicy(b) {
	const tried = await b.eval(`(async () => {
		const script = document.createElement("script");
		script.textContent = "window.owned = true";
		document.body.append(script);
		const fetched = await fetch("data:text/plain,x").then(() => true, () => false);
		const image = await new Promise((done) => { const i = new Image(); i.onload = () => done(true); i.onerror = () => done(false);
			i.src = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="; });
		return [window.owned === true, fetched, image];
	})()`);
	assert.deepEqual(tried, [false, false, false], "the security policy");
}

async function checkThemes(b) {
	const look = 'document.documentElement.dataset.theme + " " + getComputedStyle(document.body).backgroundColor';
	const light = await b.eval(look);
	assert.match(light, /^light /);
	await b.click('document.getElementById("theme")');
	const dark = await b.eval(look);
	assert.match(dark, /^dark /);
	assert.notEqual(light.split(" ").slice(1).join(), dark.split(" ").slice(1).join());
	await b.click('document.getElementById("theme")');
	assert.equal(await b.eval(look), light);
	// The switch of the system.
	for (const [scheme, want] of [["dark", dark], ["light", light]]) {
		await b.scheme(scheme);
		await b.until(`${look} === ${JSON.stringify(want)}`);
	}
}

async function checkProfile(b, page, json, word) {
	const tiles = await b.eval('[...document.querySelectorAll("#tiles data")].map((d) => Number(d.value))');
	const want = [];
	for (const source of ["go", "malloc", "mmap"]) {
		const t = json.totals[source];
		if (t)
			want.push(t.alloc_bytes, t.alloc_objects, ...(t.live_bytes === null ? [] : [t.live_bytes]));
	}
	if (json.rss.end_bytes !== null)
		want.push(json.rss.end_bytes);
	assert.deepEqual(tiles, want, "the numbers on top");

	const metrics = await b.eval('[...document.querySelectorAll("#metric option")].map((o) => o.value)');
	const live = ["go", "malloc"].some((s) => json.totals[s] && json.totals[s].live_bytes !== null);
	assert.deepEqual(metrics, ["alloc_bytes", "alloc_objects", ...(live ? ["live_bytes", "live_objects"] : []),
		...(json.rss.grown_bytes === null ? [] : ["rss_bytes"])]);
	for (const metric of [...metrics.slice(1), metrics[0]]) {
		await pick(b, metric);
		assert.equal(await b.eval(number("#total data")), sumOf(json, metric), metric);
	}
	const all = await b.eval(rects);
	assert.ok(all > 3, `${all} boxes`);

	// The site table: the rows of all add up to the whole.
	await b.eval('document.querySelector("[data-all]")?.click()');
	const sites = await b.eval('[...document.querySelectorAll("#groups tbody tr")].map((r) => Number(r.cells[1].querySelector("data")?.value || 0))');
	assert.equal(sites.reduce((a, n) => a + n, 0), sumOf(json, "alloc_bytes"), "sites");
	assert.deepEqual(sites, sites.slice().sort((a, z) => z - a), "the largest first");

	// Search, by keyboard.
	await typed(b, word);
	assert.equal(await b.eval(number("#found data")), sumOf(json, "alloc_bytes", (s) => s.frames.some((f) => f.func.includes(word))), "found");
	assert.ok(await b.eval('document.querySelectorAll("#flame rect.hit").length') > 0);
	await b.key("Escape");
	assert.equal(await b.eval('document.querySelectorAll("#flame rect.hit").length + document.getElementById("search").value.length'), 0);

	// The tooltip, and zoom.
	const label = await b.eval(`[...document.querySelectorAll("#flame text")].map((t) => t.textContent).find((t) => t.startsWith(${JSON.stringify(word)}))`);
	await b.hover(box(label));
	assert.equal(await b.eval('document.getElementById("tip").hidden'), false);
	assert.match(await b.eval(text("#tip")), /Allocated bytes.*%/s);
	const width = async () => Number(await b.eval(`${box(label)}.getAttribute("width")`));
	const before = await width(), whole = Number(await b.eval('document.querySelector("#flame rect").getAttribute("width")'));
	await b.click(box(label));
	assert.equal(await width(), whole, "the box that was clicked is as wide as all");
	assert.ok(before < whole);
	await b.click('document.getElementById("reset")');
	assert.equal(await b.eval(rects), all);
	assert.equal(await width(), before);

	// The ledger.
	const ledger = await b.eval('[...(document.querySelector("#ledger tbody tr")?.querySelectorAll("data") || [])].map((d) => Number(d.value))');
	const { rss } = json;
	if (rss.end_bytes !== null)
		assert.deepEqual(ledger, [rss.start_bytes, rss.grown_bytes, rss.released_bytes, rss.unexplained_bytes, rss.end_bytes].filter((n) => n !== null));
	const losses = await b.eval(text("#losses"));
	assert.equal(/^nothing/.test(losses), json.losses.events === 0, losses);
	if (rss.timeline && rss.timeline.length > 1)
		assert.equal(await b.eval('document.querySelectorAll("#timeline canvas").length'), 1, "the timeline");
	await checkThemes(b);
	return `${all} boxes, ${json.stacks.length} stacks`;
}

async function checkDiff(b, page, json) {
	const sum = (side, metric) => json.rows.reduce((n, r) => n + Math.max(0, (r[metric] || { before: 0, after: 0 })[side]), 0);
	const shown = await b.eval(number("#total data")), want = sum("after", "alloc_bytes_per_s");
	assert.ok(Math.abs(shown - want) <= want * 1e-6, `${shown}, want ${want}`);
	const tile = await b.eval(number("#tiles data"));
	assert.equal(tile, json.totals.malloc.alloc_bytes_per_s.change);
	const colours = await b.eval('["more", "less", "same"].map((c) => document.querySelectorAll("#flame rect." + c).length)');
	assert.equal(colours.reduce((a, n) => a + n), await b.eval(rects));
	assert.ok(colours[0] && colours[1], "boxes that grew and that shrank: " + colours);
	const sites = await b.eval('[...document.querySelectorAll("#groups tbody tr")].map((r) => Number(r.cells[1].querySelector("data")?.value || 0))');
	assert.ok(sites.some((n) => n > 0) && sites.some((n) => n < 0), sites.join());
	const widths = 'document.getElementById("base")';
	await b.click(widths);
	assert.match(await b.eval(widths + ".textContent"), /before/);
	await checkThemes(b);
	return `${colours[0]} grew, ${colours[1]} shrank`;
}

// 50,000 stacks of hostile names: what a reader does stays quick, and nothing of the names does anything.
async function checkCrowd(b, page, stacks, objects, bytes) {
	const timed = async (what) => {
		const t0 = await b.eval("performance.now()");
		await what();
		return Math.round(await b.eval("new Promise((r) => requestAnimationFrame(() => setTimeout(() => r(performance.now()), 0)))") - t0);
	};
	const first = Math.round(await b.eval('performance.getEntriesByName("drawn")[0].startTime'));
	const raw = await b.eval('(() => { const d = JSON.parse(document.getElementById("data").textContent); return [d.rows.node.length, d.nodes.parent.length]; })()');
	assert.ok(raw[0] >= stacks, raw[0] + " rows");
	await pick(b, "alloc_bytes");
	await typed(b, "crowd_block");
	assert.equal(await b.eval(number("#found data")), bytes, "bytes of crowd_block()");
	await b.key("Escape");
	await pick(b, "alloc_objects");
	await typed(b, "crowd_block");
	assert.equal(await b.eval(number("#found data")), objects, "objects of crowd_block()");
	await b.key("Escape");
	assert.equal(await b.eval("document.title.startsWith('allocsnoop: crowd')"), true);
	assert.equal(await b.eval("document.scripts.length + document.querySelectorAll('img').length"), 2);
	const all = await b.eval(rects);
	for (const name of ["</script>", "<img", "<!--", "line?paragraph?end", "right?to left", "no ?? utf-8"])
		assert.ok(await b.eval(`[...document.querySelectorAll("#flame text")].some((t) => t.textContent.startsWith(${JSON.stringify(name)}))`), name);
	const zoom = await timed(() => b.click(box("</script>")));
	assert.ok(await b.eval(rects) > 100);
	const deeper = await timed(() => b.click(box("<img")));
	const reset = await timed(() => b.key("Escape"));
	const search = await timed(() => typed(b, "img"));
	return `${raw[0]} rows, ${raw[1]} nodes, ${all} boxes: first draw after ${first} ms, zoom ${zoom} and ${deeper} ms, back ${reset} ms, search ${search} ms`;
}

// Garbage collections in the data are drawn.
async function checkMarks(b, page) {
	const picture = 'document.querySelector("#timeline canvas").toDataURL()';
	const without = await b.eval(picture), html = fs.readFileSync(page, "utf8");
	assert.ok(html.includes('"gc_marks_s":null'));
	fs.writeFileSync(page + ".marked.html", html.replace('"gc_marks_s":null', '"gc_marks_s":[0.5,1]'));
	await b.goto(page + ".marked.html");
	assert.notEqual(await b.eval(picture), without);
	await checkClean(b, page + ".marked.html");
	return "marks drawn";
}

(async () => {
	const [what, page, ...rest] = process.argv.slice(2);
	const b = await Browser.open();
	try {
		await b.goto(page);
		const said = what === "profile" ? await checkProfile(b, page, load(rest[0]), rest[1]) :
			what === "diff" ? await checkDiff(b, page, load(rest[0])) :
			what === "crowd" ? await checkCrowd(b, page, ...rest.map(Number)) : await checkMarks(b, page);
		if (what !== "marks") {
			await checkClean(b, page);
			await checkPolicy(b);
		}
		console.log("note: " + said);
	} finally {
		await b.close();
	}
})().catch((error) => {
	console.log("FAILED: " + error.stack);
	process.exitCode = 1;
});

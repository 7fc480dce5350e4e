// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A headless Chromium with one page, driven by the DevTools protocol over a pipe (file descriptors 3 and 4, messages that
 * end in NUL): no port, no library. What the page logs, throws and requests is kept.
 */
const { spawn } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");

class Browser {
	static async open(options = {}) {
		const b = new Browser();
		b.profile = fs.mkdtempSync(path.join(os.tmpdir(), "allocsnoop-chromium."));
		b.process = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
			"--remote-debugging-pipe", "--user-data-dir=" + b.profile, "--window-size=1280,900", "about:blank"],
			{ stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"], detached: true });
		Object.assign(b, { id: 0, waiting: new Map(), problems: [], requests: [], events: new Map(), stderr: "" });
		b.process.stderr.on("data", (d) => (b.stderr = (b.stderr + d).slice(-4000)));
		b.process.on("exit", (code) => b.fail(new Error(`chromium ended (${code}): ${b.stderr}`)));
		b.process.on("error", (error) => b.fail(error));
		let buffer = Buffer.alloc(0);
		b.process.stdio[4].on("data", (part) => {
			buffer = Buffer.concat([buffer, part]);
			for (let end; (end = buffer.indexOf(0)) >= 0; buffer = buffer.subarray(end + 1))
				b.receive(JSON.parse(buffer.subarray(0, end).toString()));
		});
		const { targetInfos } = await b.send("Target.getTargets", {}, null);
		const page = targetInfos.find((t) => t.type === "page");
		b.session = (await b.send("Target.attachToTarget", { targetId: page.targetId, flatten: true }, null)).sessionId;
		for (const domain of ["Page", "Runtime", "Log", "Network"])
			await b.send(domain + ".enable");
		await b.send("Emulation.setDeviceMetricsOverride", { width: 1280, height: 900, deviceScaleFactor: 1, mobile: false });
		await b.scheme(options.scheme || "light");
		return b;
	}

	fail(error) {
		this.dead = error;
		for (const { reject } of this.waiting.values())
			reject(error);
	}

	send(method, params = {}, session = this.session) {
		const id = ++this.id;
		return new Promise((resolve, reject) => {
			if (this.dead)
				return reject(this.dead);
			this.waiting.set(id, { resolve, reject });
			this.process.stdio[3].write(JSON.stringify({ id, method, params, ...(session ? { sessionId: session } : {}) }) + "\0");
		});
	}

	receive(message) {
		if (message.id) {
			const { resolve, reject } = this.waiting.get(message.id);
			this.waiting.delete(message.id);
			return message.error ? reject(new Error(JSON.stringify(message.error))) : resolve(message.result);
		}
		const { method, params } = message;
		if (method === "Runtime.exceptionThrown")
			this.problems.push("exception: " + (params.exceptionDetails.exception?.description || params.exceptionDetails.text));
		else if (method === "Runtime.consoleAPICalled" || method === "Log.entryAdded")
			this.problems.push("console: " + JSON.stringify(params.entry || params.args));
		else if (method === "Network.requestWillBeSent")
			this.requests.push(params.request.url);
		(this.events.get(method) || []).splice(0).forEach((resolve) => resolve(params));
	}

	once(method) {
		return new Promise((resolve) => this.events.set(method, [...(this.events.get(method) || []), resolve]));
	}

	async goto(file) {
		const loaded = this.once("Page.loadEventFired");
		this.problems = [];
		this.requests = [];
		await this.send("Page.navigate", { url: "file://" + path.resolve(file) });
		await loaded;
	}

	scheme(value) {
		return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
	}

	// The value of an expression, or of what it promises.
	async eval(expression) {
		const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
		if (exceptionDetails)
			throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
		return result.value;
	}

	async until(expression) {
		for (const end = Date.now() + 60000; !(await this.eval(expression)); await new Promise((r) => setTimeout(r, 20)))
			if (Date.now() > end)
				throw new Error("waited 60 s for " + expression);
	}

	async mouse(type, x, y) {
		await this.send("Input.dispatchMouseEvent", { type, x, y, button: type === "mouseMoved" ? "none" : "left", clickCount: 1 });
	}

	// In the middle of the element that the expression finds.
	async point(expression) {
		return this.eval(`(() => { const e = ${expression}; e.scrollIntoView({ block: "center" }); const r = e.getBoundingClientRect();
			return [r.x + r.width / 2, r.y + r.height / 2]; })()`);
	}

	async click(expression) {
		const [x, y] = await this.point(expression);
		for (const type of ["mouseMoved", "mousePressed", "mouseReleased"])
			await this.mouse(type, x, y);
	}

	async hover(expression) {
		await this.mouse("mouseMoved", ...(await this.point(expression)));
	}

	async key(key, text) {
		await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, ...(text ? { text } : {}) });
		await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
	}

	async screenshot(file) {
		const height = await this.eval("document.documentElement.scrollHeight");
		const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true,
			clip: { x: 0, y: 0, width: 1280, height: Math.min(height, 4000), scale: 1 } });
		fs.writeFileSync(file, Buffer.from(data, "base64"));
	}

	async close() {
		const ended = new Promise((resolve) => this.process.once("exit", resolve));
		this.process.removeAllListeners("error");
		await this.send("Browser.close", {}, null).catch(() => {});
		await ended;
		fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
	}
}

module.exports = { Browser };

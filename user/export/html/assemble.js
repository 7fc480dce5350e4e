// SPDX-License-Identifier: GPL-2.0-or-later
// assemble.js PAGE CSS JS: the page with both in it, and their hashes as all that its security policy lets run.
const fs = require("fs");
const crypto = require("crypto");

const [page, css, js] = process.argv.slice(2).map((name) => fs.readFileSync(name, "utf8").trim());
if (/<\/style/i.test(css) || /<\/script|<!--/i.test(js))
	throw new Error("the bundle would end its own element");
const hash = (text) => "'sha256-" + crypto.createHash("sha256").update(text).digest("base64") + "'";
const parts = { "@CSS@": css, "@JS@": js, "@CSS_HASH@": hash(css), "@JS_HASH@": hash(js) };
process.stdout.write(page.replace(/@(CSS|JS)(_HASH)?@/g, (mark) => parts[mark]) + "\n");

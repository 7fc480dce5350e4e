// SPDX-License-Identifier: GPL-2.0-or-later
//
// speedscope.mjs PACKAGE FILE: FILE as the importer of the npm package speedscope, unpacked in PACKAGE, understands it.
// The package is a page for a browser: its script is run here without its last statement, which would draw the page, and
// the function that its own dispatcher calls for a FILE of speedscope's format, or of folded stacks, is called instead.
// Prints JSON: { name, index, profiles: [{ name, unit, total, stacks: [[[outermost, ..., innermost], weight], ...] }] }.
import { readFileSync, readdirSync } from 'node:fs';
import vm from 'node:vm';

const [pkg, file] = process.argv.slice(2);
const release = `${pkg}/dist/release`;
const script = readdirSync(release).find(n => /^speedscope-\w+\.js$/.test(n));
const code = readFileSync(`${release}/${script}`, 'utf8');
const drawing = code.lastIndexOf('console.log(`speedscope v');
const jsonImporter = code.match(/"Importing as speedscope json file"\),(\w+)\(/)?.[1];
const foldedImporter = code.match(/"Importing as collapsed stack format"\),\w+\((\w+)\(/)?.[1];
if (drawing < 0 || !jsonImporter || !foldedImporter)
	throw new Error(`${script} is not the page that this test knows`);

const nothing = new Proxy(function () {}, { get: (t, key) => (key === Symbol.toPrimitive ? () => '' : nothing), apply: () => nothing, construct: () => nothing });
const window = { console: { log() {}, warn: console.error, error: console.error }, document: nothing, location: { hash: '', protocol: 'file:' },
	navigator: nothing, localStorage: nothing, matchMedia: nothing, addEventListener() {}, TextDecoder, TextEncoder, URL, URLSearchParams, setTimeout, clearTimeout };
window.window = window.self = window.globalThis = window;
vm.createContext(window);
vm.runInContext(`${code.slice(0, drawing)};window.importers={json:${jsonImporter},folded:${foldedImporter}};})();`, window);

// What its importers take: the contents, in pieces.
const text = readFileSync(file, 'utf8');
const contents = { firstChunk: () => text, parseAsJSON: () => JSON.parse(text), splitLines: () => text.split('\n') };
const group = file.endsWith('.json') ? window.importers.json(JSON.parse(text)) : { profiles: [window.importers.folded(contents)] };

const profiles = group.profiles.map(profile => {
	const stacks = [];
	const open = [];
	let from = 0;
	const leaf = value => {
		if (value > from && open.length)
			stacks.push([[...open], value - from]);
		from = value;
	};
	profile.forEachCall((node, value) => { leaf(value); open.push(node.frame.name); }, (node, value) => { leaf(value); open.pop(); });
	return { name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalWeight(), stacks };
});
process.stdout.write(JSON.stringify({ name: group.name, index: group.indexToView, profiles }) + '\n');

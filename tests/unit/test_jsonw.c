// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/jsonw.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

struct doc {
	char *text;
	size_t len;
	FILE *out;
	struct jsonw w;
};

static void doc_open(struct doc *d)
{
	d->out = open_memstream(&d->text, &d->len);
	jsonw_init(&d->w, d->out);
}

static void doc_check(struct doc *d, const char *want)
{
	fclose(d->out);
	CHECK_STR(d->text, want);
	free(d->text);
}

TEST(nesting_and_commas)
{
	struct doc d;

	doc_open(&d);
	jsonw_object(&d.w, NULL);
	jsonw_u64(&d.w, "a", UINT64_MAX);
	jsonw_array(&d.w, "b");
	jsonw_end_array(&d.w);
	jsonw_array(&d.w, "c");
	jsonw_i64(&d.w, NULL, INT64_MIN);
	jsonw_object(&d.w, NULL);
	jsonw_end_object(&d.w);
	jsonw_null(&d.w, NULL);
	jsonw_end_array(&d.w);
	jsonw_bool(&d.w, "d", true);
	jsonw_str(&d.w, "e", NULL);
	jsonw_end_object(&d.w);
	doc_check(&d, "{\"a\":18446744073709551615,\"b\":[],\"c\":[-9223372036854775808,{},null],\"d\":true,\"e\":null}");
}

TEST(doubles)
{
	struct doc d;

	doc_open(&d);
	jsonw_array(&d.w, NULL);
	jsonw_double(&d.w, NULL, 3.14159, 2);
	jsonw_double(&d.w, NULL, -0.5, 3);
	jsonw_double(&d.w, NULL, (double)NAN, 3);
	jsonw_double(&d.w, NULL, (double)INFINITY, 3);
	jsonw_double(&d.w, NULL, 10, 0);
	jsonw_end_array(&d.w);
	doc_check(&d, "[3.14,-0.500,null,null,10]");
}

/* Nothing in it ends the script that the document stands in, nor begins a comment. */
TEST(in_html)
{
	struct doc d;

	doc_open(&d);
	d.w.in_html = true;
	jsonw_object(&d.w, NULL);
	jsonw_str(&d.w, "</script>", "<!--<script>\xe2\x80\xa8");
	jsonw_end_object(&d.w);
	doc_check(&d, "{\"\\u003c/script>\":\"\\u003c!--\\u003cscript>\\u2028\"}");
}

TEST(strings)
{
	struct doc d;

	doc_open(&d);
	jsonw_array(&d.w, NULL);
	jsonw_str(&d.w, NULL, "q\"b\\n\nt\tr\re\033d\x7f");
	jsonw_str(&d.w, NULL, "caf\xc3\xa9 \xf0\x9f\x98\x80");
	jsonw_str(&d.w, NULL, "bad\xff\xc3");
	jsonw_str(&d.w, NULL, "csi\xc2\x9b rlo\xe2\x80\xae tag\xf3\xa0\x81\x81");
	jsonw_str(&d.w, NULL, "");
	jsonw_end_array(&d.w);
	doc_check(&d, "[\"q\\\"b\\\\n\\nt\\tr\\re\\u001bd\\u007f\",\"caf\xc3\xa9 \xf0\x9f\x98\x80\","
		      "\"bad\xef\xbf\xbd\xef\xbf\xbd\",\"csi\\u009b rlo\\u202e tag\\udb40\\udc41\",\"\"]");
}

/* Every byte, judged by another implementation. */
TEST(python_reads_every_byte)
{
	static const char script[] =
		"import json,sys\n"
		"d = json.loads(sys.stdin.buffer.read().decode('utf-8', 'strict'))\n"
		"for i, s in enumerate(d, 1):\n"
		"    want = bytes([i]).decode('utf-8', 'replace')\n"
		"    assert s == 'x' + want + 'y', (i, s)\n"
		"assert len(d) == 255\n";
	FILE *pipe;
	struct jsonw w;

	if (system("command -v python3 >/dev/null 2>&1")) {
		SKIP("no python3");
		return;
	}
	setenv("SCRIPT", script, 1);
	pipe = popen("python3 -c \"$SCRIPT\"", "w");
	jsonw_init(&w, pipe);
	jsonw_array(&w, NULL);
	for (int i = 1; i < 256; i++) {
		char s[] = { 'x', (char)i, 'y', 0 };

		jsonw_str(&w, NULL, s);
	}
	jsonw_end_array(&w);
	CHECK_INT(pclose(pipe), 0);
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a pprof file, packed or not, and what was understood of it compared with itself and with nothing, in every
 * format. Seeds: tests/fuzz/corpus/pprof, files of `go tool pprof -proto` and ours, unpacked.
 */
#include <stdlib.h>

#include "export/diff.h"
#include "store/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct diff *diff)
{
	static const char *const formats[] = { "json", "text", "folded", "pprof" };
	struct diff_opts opts = { .before = { .name = "a" }, .after = { .name = "b" }, .is_stacks = true,
				  .export = { .tool = "fuzz", .top = 10, .width = 100 } };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		if (!out)
			return;
		diff_write(diff, exporter_by_name(formats[i]), &opts, out);
		fclose(out);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile *prof, *nothing;
	struct err err = { 0 };
	struct diff *diff;

	if (pprof_read((struct span){ data, size }, "fuzz", &prof, &err)) {
		if (err.kind != FAIL_GENERAL || !err.msg[0])
			abort(); /* one failure, one message */
		return 0;
	}
	if (profile__new(&nothing))
		abort();
	for (int key = DIFF_STACK; key <= DIFF_LABELS; key++) {
		const struct diff_side a = { key % 2 ? nothing : prof, WINDOW_ALL, NULL }, b = { prof, WINDOW_ALL, NULL };

		if (diff__new(&a, &b, key, &diff))
			abort();
		print(diff);
		diff__free(diff);
	}
	profile__free(nothing);
	profile__free(prof);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A recording from elsewhere: a good one, of which the input changes bytes (4 of place, 1 of value, again and again), read
 * in every way and printed.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"
#include "store/reader.h"
#include "store/writer.h"
#include "tests/unit/made_profile.h"

static char path[64], dir[] = "/dev/shm/fuzz_store.XXXXXX";
static uint8_t *good, *bad;
static size_t len;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clean_up(void)
{
	unlink(path);
	rmdir(dir);
}

static void make_good(void)
{
	const struct writer_opts opts = { .tool = "fuzz", .when = "" };
	struct profile *p = made_profile();
	struct err err = { 0 };
	struct writer *w;
	FILE *in;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/run.db", dir);
	atexit(clean_up);
	if (writer__new(path, &opts, &w, &err))
		abort();
	for (uint32_t k = 1; k <= 4; k++) {
		made_step(p, k);
		if (writer__append(w, p, k == 2, &err))
			abort();
	}
	writer__free(w);
	profile__free(p);
	in = fopen(path, "r");
	if (!in || fseek(in, 0, SEEK_END))
		abort();
	len = (size_t)ftell(in);
	rewind(in);
	good = malloc(len);
	bad = malloc(len);
	if (!good || !bad || fread(good, 1, len, in) != len)
		abort();
	fclose(in);
}

static void print(const struct profile *prof)
{
	static const char *const formats[] = { "json", "text", "folded", "pprof", "speedscope", "perfetto", "prometheus", "otlp" };
	const struct export_opts opts = { .tool = "fuzz", .window = WINDOW_INTERVAL, .top = 10, .width = 100 };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *text = NULL;
		size_t text_len;
		FILE *out = open_memstream(&text, &text_len);

		if (!out)
			return;
		exporter_by_name(formats[i])->write(prof, &opts, out);
		fclose(out);
		free(text);
	}
}

static void read_all(struct reader *r)
{
	const struct moment *moments;
	struct reader_line *lines;
	struct window_ids ids;
	struct profile *prof;
	struct err err;
	double *spread;
	size_t n;

	moments = reader__moments(r, &n);
	for (size_t i = 0; i < n; i++) {
		ids = (struct window_ids){ i ? moments[i / 2].id : MOMENT_START, moments[n - 1 - i / 2].id };
		if (reader__load(r, &ids, &prof, &spread, &err))
			continue;
		print(prof);
		free(spread);
		profile__free(prof);
		if (!reader__timeline(r, &ids, &lines, &n, &err))
			free(lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	struct reader *r;
	FILE *out;

	if (!good)
		make_good();
	memcpy(bad, good, len);
	for (; size >= 5; data += 5, size -= 5) {
		uint32_t at;

		memcpy(&at, data, sizeof(at));
		bad[at % len] = data[4];
	}
	out = fopen(path, "w");
	if (!out || fwrite(bad, 1, len, out) != len)
		abort();
	fclose(out);
	if (!reader__open(path, &r, &err)) {
		read_all(r);
		reader__free(r);
	}
	return 0;
}

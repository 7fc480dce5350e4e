// SPDX-License-Identifier: GPL-2.0-or-later
/* Label sets: equal sets are equal ids, whatever their texts hold, and what comes out is what went in. */
#include "profile/labels.h"

#include <stdlib.h>

#include "test.h"

static struct strtab *strs;

static uint32_t add(uint32_t n, const char *const *pairs)
{
	struct event_label labels[100];

	for (uint32_t i = 0; i < n; i++)
		labels[i] = (struct event_label){ pairs[2 * i], pairs[2 * i + 1] };
	return labels_add(strs, labels, n);
}

static void check_text(uint32_t id, const char *want)
{
	char buf[1024];

	CHECK_STR(labels_text(strtab__get(strs, id), buf, sizeof(buf)), want);
}

TEST(sets)
{
	const char *ab[] = { "a", "1", "b", "2" }, *ba[] = { "b", "2", "a", "1" }, *swapped[] = { "a", "2", "b", "1" };
	const char *joined[] = { "a", "1b", "b", "2" };

	CHECK_INT(strtab__new(&strs), 0);
	CHECK_INT(add(0, NULL), 0);
	CHECK(add(2, ab) != 0);
	CHECK_INT(add(2, ba), add(2, ab));
	CHECK(add(2, swapped) != add(2, ab));
	CHECK(add(2, joined) != add(2, ab));
	check_text(add(2, ba), "a=1, b=2");
	check_text(0, "");
	strtab__free(strs);
}

TEST(a_key_has_one_value)
{
	const char *twice[] = { "k", "2", "a", "x", "k", "1", "k", "1" }, *once[] = { "k", "1", "a", "x" };

	CHECK_INT(strtab__new(&strs), 0);
	CHECK_INT(add(4, twice), add(2, once));
	check_text(add(4, twice), "a=x, k=1");
	strtab__free(strs);
}

/* The bytes that end keys and values inside; nothing at all; more than is kept. */
TEST(hostile_texts)
{
	const char *ends[] = { "k\x1fv\x1e", "\x1e\x1f" }, *question[] = { "k?v?", "??" }, *empty[] = { "", "" };
	char text[1000], cut[LABEL_TEXT_BYTES], small[8];
	const char *longs[] = { text, text }, *many[200], *at;
	struct label label;
	uint32_t n = 0;

	CHECK_INT(strtab__new(&strs), 0);
	CHECK_INT(add(1, ends), add(1, question));
	check_text(add(1, empty), "=");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	memset(cut, 'x', sizeof(cut) - 1);
	cut[sizeof(cut) - 1] = 0;
	at = strtab__get(strs, add(1, longs));
	CHECK(labels_next(&at, &label));
	CHECK_STR(label.key, cut);
	CHECK_STR(label.value, cut);
	CHECK(!labels_next(&at, &label));
	labels_text(strtab__get(strs, add(1, longs)), small, sizeof(small));
	CHECK_STR(small, "xxxxxxx");
	for (int i = 0; i < 100; i++) {
		many[2 * i] = text + i; /* all different */
		many[2 * i + 1] = "v";
	}
	at = strtab__get(strs, add(100, many));
	while (labels_next(&at, &label))
		n++;
	CHECK_INT(n, 64);
	/* What is no set of ours. */
	at = "no end";
	CHECK(!labels_next(&at, &label));
	at = "key\x1f, but no value";
	CHECK(!labels_next(&at, &label));
	strtab__free(strs);
}

TEST_MAIN()

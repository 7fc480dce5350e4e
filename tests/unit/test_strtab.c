// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/strtab.h"

#include "test.h"

TEST(empty_string_is_zero)
{
	struct strtab *tab;

	if (!CHECK_INT(strtab__new(&tab), 0))
		return;
	CHECK_INT(strtab__adds(tab, ""), 0);
	CHECK_INT(strtab__len(tab), 1);
	CHECK_STR(strtab__get(tab, 0), "");
	CHECK_STR(strtab__get(tab, 12345), "");
	strtab__free(tab);
	strtab__free(NULL);
}

TEST(equal_strings_have_equal_ids)
{
	struct strtab *tab;
	const char *first;
	char buf[32];

	if (!CHECK_INT(strtab__new(&tab), 0))
		return;
	first = strtab__get(tab, strtab__adds(tab, "name-0"));
	for (uint32_t i = 0; i < 100000; i++) {
		snprintf(buf, sizeof(buf), "name-%u", i);
		if (!CHECK_INT(strtab__adds(tab, buf), i + 1))
			break;
	}
	for (uint32_t i = 0; i < 100000; i++) {
		int len = snprintf(buf, sizeof(buf), "name-%uX", i);

		if (!CHECK_INT(strtab__add(tab, buf, (size_t)len - 1), i + 1))
			break;
		buf[len - 1] = 0;
		if (!CHECK_STR(strtab__get(tab, i + 1), buf))
			break;
	}
	CHECK(strtab__get(tab, 1) == first); /* does not move */
	CHECK_INT(strtab__len(tab), 100001);
	strtab__free(tab);
}

TEST(bytes_are_kept)
{
	struct strtab *tab;
	uint32_t id;

	if (!CHECK_INT(strtab__new(&tab), 0))
		return;
	id = strtab__adds(tab, "\033[31m\xff\n");
	CHECK_STR(strtab__get(tab, id), "\033[31m\xff\n");
	CHECK(strtab__add(tab, "a\0b", 3) != strtab__add(tab, "a\0c", 3));
	strtab__free(tab);
}

TEST_MAIN()

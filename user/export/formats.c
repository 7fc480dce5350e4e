// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "base/vec.h"

uint64_t window_start_ns(const struct profile *prof, enum window window)
{
	return window == WINDOW_INTERVAL && prof->mark_unix_ns ? prof->mark_unix_ns : prof->start_unix_ns;
}

int names_init(struct names *names)
{
	*names = (struct names){ 0 };
	return strtab__new(&names->strs);
}

void names_free(struct names *names)
{
	strtab__free(names->strs);
	free(names->buf);
	*names = (struct names){ 0 };
}

uint32_t names_add(struct names *names, const char *name, char from, char to)
{
	size_t len;
	uint32_t id;

	if (!*name || names->err)
		return 0;
	names->err = vec_reserve((void **)&names->buf, &names->cap, strlen(name) + 1, 1);
	if (names->err)
		return 0;
	len = name_clean(names->buf, names->cap, name);
	for (char *p = names->buf; from && *p; p++) {
		if (*p == from)
			*p = to;
	}
	id = strtab__add(names->strs, names->buf, len);
	if (!id)
		names->err = -ENOMEM;
	return id;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ALLOCSNOOP_BASE_VEC_H
#define ALLOCSNOOP_BASE_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/*
 * Make room for @need elements of @elem_size bytes in the array at *@items with
 * *@cap places. 0, or -ENOMEM with the array as it was.
 */
static inline int vec_reserve(void **items, size_t *cap, size_t need, size_t elem_size)
{
	size_t new_cap = *cap ? *cap : 16;
	void *grown;

	if (need <= *cap)
		return 0;
	while (new_cap < need) {
		if (new_cap > (size_t)-1 / 2 / elem_size)
			return -ENOMEM;
		new_cap *= 2;
	}
	grown = realloc(*items, new_cap * elem_size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*cap = new_cap;
	return 0;
}

#endif

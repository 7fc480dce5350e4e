/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a report calls the type of an allocation, from what Go's allocator is told and by whom.
 *
 *	map.group[string]int from runtime.newarray	map[string]int
 *	main.Node from runtime.growslice		[]main.Node
 *	nil from runtime.rawstring			string
 *	nil from runtime.growslice			[slice without pointers]
 *
 * The allocator gets the type of an element, not of the slice, and no type at all for most
 * memory without pointers. Where the caller does not tell what it is, the name stands in
 * brackets as no Go type does. Pure.
 */
#ifndef ALLOCSNOOP_SYM_TYPENAME_H
#define ALLOCSNOOP_SYM_TYPENAME_H

#include <stddef.h>

/*
 * @raw: the type's name (go/gotypes.h), NULL for a nil type, "" for one whose name is not known.
 * @doors: names of the runtime's functions on the stack, innermost first, before the first one outside of
 * the runtime; with inlined ones, and with or without mallocgc itself.
 * Writes to @buf, cut to @size (not 0), and returns it.
 */
const char *typename_shown(const char *raw, const char *const *doors, size_t ndoors, char *buf, size_t size);

#endif

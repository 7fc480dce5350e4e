// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/gomem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PAGE_BYTES (64u << 10) /* of the kernel: a mapping of variables begins that much before them, at most */

/* Bytes of @map that are in arenas. */
static uint64_t in_arenas(const struct gostats_arenas *arenas, const struct smap *map)
{
	size_t low = 0, high = arenas->n;
	uint64_t bytes = 0;

	while (low < high) { /* the first that ends behind the start of the mapping */
		const size_t mid = low + (high - low) / 2;

		if (arenas->starts[mid] + GOSTATS_ARENA_BYTES <= map->start)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < arenas->n && arenas->starts[low] < map->end; low++) {
		const uint64_t start = arenas->starts[low] > map->start ? arenas->starts[low] : map->start;
		const uint64_t end = arenas->starts[low] + GOSTATS_ARENA_BYTES;

		bytes += (end < map->end ? end : map->end) - start;
	}
	return bytes;
}

bool gomem_add(const struct gomem_places *places, const struct smap *map, struct go_rss *ret)
{
	uint64_t inside;

	ret->rss_bytes += map->rss_bytes;
	if (map->has_file || !map->rss_bytes)
		return true;
	inside = in_arenas(places->arenas, map);
	if (inside) {
		ret->arenas_bytes += map->rss_bytes;
		ret->arenas_lazy_bytes += map->lazy_free_bytes;
		ret->arenas_huge_bytes += map->anon_huge_bytes;
		return inside == map->end - map->start;
	}
	if (map->start + MAX_PAGE_BYTES <= places->vars_start || map->start >= places->vars_end)
		ret->other_anon_bytes += map->rss_bytes;
	return true;
}

struct adder {
	struct gomem_places places;
	struct go_rss *rss;
	bool mixed;
};

static void on_map(void *ctx, const struct smap *map)
{
	struct adder *adder = ctx;

	adder->mixed |= !gomem_add(&adder->places, map, adder->rss);
}

static void enter_image(struct gomem *mem, uint32_t image)
{
	if (image != mem->image)
		mem->vars = (struct gostats_vars){ 0 };
	mem->image = image;
}

/* Once for each image. */
static const char *find_vars(struct gomem *mem, const struct go_layout *layout, const struct go_moduledata *md, uint64_t bias,
			     const struct mem_reader *reader)
{
	return mem->vars.mheap ? NULL : gostats_find(layout, md, bias, reader, &mem->vars);
}

static const char *look(struct gomem *mem, pid_t pid, const struct gobin *bin, uint64_t bias)
{
	const struct mem_reader reader = proc_mem_reader(&pid);
	const struct go_moduledata *md = gobin__moduledata(bin);
	const struct go_layout *layout = gobin__layout(bin, &(bool){ false });
	struct go_rss rss = { 0 };
	struct gostats_arenas arenas;
	struct adder adder = { { &arenas, md->noptrdata + bias, md->enoptrbss + bias }, &rss, false };
	const char *why = NULL;
	struct go_func func;

	if (!layout || !md->vaddr)
		return "where this program has its runtime's statistics is not known";
	why = find_vars(mem, layout, md, bias, &reader);
	if (!why)
		why = gostats_read(layout, &mem->vars, &reader, &rss);
	if (!why)
		why = gostats_arenas(layout, &mem->vars, &reader, &arenas);
	if (why)
		return why;
	if (smaps_each(pid, on_map, &adder) || !rss.rss_bytes)
		why = "the process's smaps cannot be read";
	else if (adder.mixed)
		why = "arenas of the heap share mappings with other memory";
	free(arenas.starts);
	rss.has_cgo = gobin__pclntab(bin) && gopclntab__find_name(gobin__pclntab(bin), "crosscall2", &func);
	mem->rss = rss;
	return why;
}

void gomem__look(struct gomem *mem, pid_t pid, uint32_t image, const struct gobin *bin, uint64_t bias)
{
	enter_image(mem, image);
	mem->unknown = look(mem, pid, bin, bias);
	mem->looked = true;
}

uint64_t gomem__heap_start(struct gomem *mem, pid_t pid, uint32_t image, const struct gobin *bin, uint64_t bias,
			   uint64_t *ret_map)
{
	const struct mem_reader reader = proc_mem_reader(&pid);
	const struct go_moduledata *md = gobin__moduledata(bin);
	const struct go_layout *layout = gobin__layout(bin, &(bool){ false });
	struct gostats_arenas arenas = { 0 };
	uint64_t start = 0;

	enter_image(mem, image);
	if (!layout || !md->vaddr || find_vars(mem, layout, md, bias, &reader) ||
	    gostats_arenas(layout, &mem->vars, &reader, &arenas))
		return 0;
	if (arenas.n)
		start = arenas.starts[0];
	*ret_map = arenas.map;
	free(arenas.starts);
	return start;
}

bool gomem__allocs(struct gomem *mem, pid_t pid, uint32_t image, const struct gobin *bin, uint64_t bias,
		   struct gostats_allocs *ret)
{
	const struct mem_reader reader = proc_mem_reader(&pid);
	const struct go_moduledata *md = gobin__moduledata(bin);
	const struct go_layout *layout = gobin__layout(bin, &(bool){ false });

	enter_image(mem, image);
	return layout && md->vaddr && !find_vars(mem, layout, md, bias, &reader) &&
	       !gostats_allocs(layout, &mem->vars, &reader, ret);
}

void gomem__forget(struct gomem *mem)
{
	mem->looked = false;
}

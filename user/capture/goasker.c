// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/goasker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"

#define MAX_INLINED 64
#define MAX_STACKS (1u << 20)

struct goasker {
	struct event_sink sink;
	struct gomods *gomods;
	struct hmap *stacks; /* stack id -> place in askers */
	uint64_t *askers;
	size_t cap_askers;
};

int goasker__new(const struct event_sink *sink, struct gomods *gomods, struct goasker **ret)
{
	struct goasker *asker = calloc(1, sizeof(*asker));

	if (!asker || hmap__new(sizeof(uint64_t), &asker->stacks)) {
		free(asker);
		return -ENOMEM;
	}
	asker->sink = *sink;
	asker->gomods = gomods;
	*ret = asker;
	return 0;
}

void goasker__free(struct goasker *asker)
{
	if (!asker)
		return;
	hmap__free(asker->stacks);
	free(asker->askers);
	free(asker);
}

bool goasker_fills(const char *func)
{
	/* What they write to is what mallocgc has just given them (runtime/slice.go, string.go, map.go). */
	static const char *const names[] = { "growslice", "makeslicecopy", "concatstrings", "concatbytes", "slicebytetostring",
					     "stringtoslicebyte", "slicerunetostring", "stringtoslicerune" };
	static const char package[] = "runtime.", doors[] = "mallocgc";

	if (strncmp(func, package, sizeof(package) - 1) != 0)
		return false;
	func += sizeof(package) - 1;
	if (strncmp(func, doors, sizeof(doors) - 1) == 0) /* mallocgcLarge, mallocgcSmallNoScanSC3, ... */
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(func, names[i]) == 0)
			return true;
	return false;
}

static bool frame_fills(const struct goasker *asker, const struct event_frame *frame)
{
	const struct gobin *bin = gomods__get(asker->gomods, frame->module);
	struct go_frame funcs[MAX_INLINED];
	int n;

	if (!bin || !gobin__pclntab(bin))
		return false;
	n = gopclntab__frames(gobin__pclntab(bin), frame->vaddr, funcs, MAX_INLINED);
	for (int i = 0; i < n; i++)
		if (goasker_fills(funcs[i].func))
			return true;
	return false;
}

void goasker__stack(struct goasker *asker, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes, uint32_t flags)
{
	uint64_t id = hash_bytes(&stack_id, sizeof(stack_id)) | 1ULL << 63; /* as those of the BPF side */
	uint32_t at = nframes, place;
	bool added;

	/* The outermost: mallocgc has doors of its own inside. */
	while (at && !frame_fills(asker, &frames[at - 1]))
		at--;
	if (!at || hmap__len(asker->stacks) >= MAX_STACKS ||
	    vec_reserve((void **)&asker->askers, &asker->cap_askers, (size_t)hmap__len(asker->stacks) + 1, sizeof(*asker->askers)))
		return;
	place = hmap__add(asker->stacks, &stack_id, &added);
	if (place == HMAP_NONE || !added)
		return;
	asker->askers[place] = id;
	asker->sink.on_stack(asker->sink.ctx, id, frames + at - 1, nframes - at + 1, flags);
}

uint64_t goasker__find(const struct goasker *asker, uint64_t stack_id)
{
	uint32_t place = hmap__find(asker->stacks, &stack_id);

	return place == HMAP_NONE ? 0 : asker->askers[place];
}

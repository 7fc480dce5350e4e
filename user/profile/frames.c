// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct frame_iter frames_of(const struct profile *prof, uint32_t stack)
{
	const struct prof_stack *s = &prof->stacks[stack];

	return (struct frame_iter){ .prof = prof, .pos = s->first, .end = s->first + s->nlocs };
}

const char *prof_module_name(const struct profile *prof, uint32_t module)
{
	return module < prof->nmodules ? strtab__get(prof->strs, prof->modules[module].name) : "";
}

uint32_t prof_loc_nframes(const struct profile *prof, uint32_t loc)
{
	uint32_t n = prof->locs[loc].nframes;

	return n ? n : 1;
}

void prof_name_address(const char *module, uint64_t vaddr, char *buf)
{
	size_t len = strnlen(module, 280); /* the name of a file has at most 255 bytes */

	if (!len) {
		module = "unknown";
		len = strlen(module);
	}
	if (len > 2 && module[0] == '[' && module[len - 1] == ']') {
		module++;
		len -= 2;
	}
	snprintf(buf, 320, "[%.*s+0x%" PRIx64 "]", (int)len, module, vaddr);
}

static void name_address(const struct profile *prof, const struct prof_loc *loc, struct frame_view *ret)
{
	_Static_assert(sizeof(ret->buf) == 320, "prof_name_address()");
	prof_name_address(prof_module_name(prof, loc->module), loc->vaddr, ret->buf);
	ret->func = ret->buf;
	ret->func_id = 0;
	ret->flags |= FRAME_UNKNOWN;
}

void prof_loc_frame(const struct profile *prof, uint32_t loc, uint32_t i, struct frame_view *ret)
{
	const struct prof_loc *l = &prof->locs[loc];
	struct prof_frame frame = { 0 };

	if (i < l->nframes)
		frame = prof->frames[l->first_frame + i];
	ret->func_id = frame.func;
	ret->file_id = frame.file;
	ret->func = strtab__get(prof->strs, frame.func);
	ret->file = strtab__get(prof->strs, frame.file);
	ret->line = frame.line;
	ret->flags = frame.flags;
	ret->module = l->module;
	ret->loc = loc;
	if (!*ret->func)
		name_address(prof, l, ret);
}

bool frame_iter__next(struct frame_iter *it, struct frame_view *ret)
{
	uint32_t loc;

	if (it->pos == it->end)
		return false;
	loc = it->prof->stack_locs[it->pos];
	prof_loc_frame(it->prof, loc, it->frame, ret);
	if (++it->frame >= prof_loc_nframes(it->prof, loc)) {
		it->frame = 0;
		it->pos++;
	}
	return true;
}

bool stack_blame(const struct profile *prof, uint32_t stack, struct frame_view *ret)
{
	struct frame_iter it = frames_of(prof, stack);
	struct frame_view view;
	bool any = false;

	while (frame_iter__next(&it, ret)) {
		if (!(ret->flags & FRAME_PLUMBING))
			return true;
	}
	/* Nothing but plumbing. Natively its outermost is nearest to a caller (operator new around malloc); Go's is goexit. */
	it = frames_of(prof, stack);
	while (frame_iter__next(&it, &view)) {
		if (any && strncmp(view.func, "runtime.", 8) == 0)
			break;
		*ret = view;
		if (view.func == view.buf)
			ret->func = ret->buf;
		any = true;
	}
	return any;
}

bool prof_creator(const struct profile *prof, uint32_t context, struct frame_view *ret)
{
	uint32_t loc = prof->contexts[context].creator;

	if (loc == PROF_NONE)
		return false;
	prof_loc_frame(prof, loc, 0, ret);
	return true;
}

/* runtime.rt0_go (runtime/asm_*.s) makes it, from 1.17 on through a wrapper of newproc. */
bool creator_is_main(const struct frame_view *creator)
{
	return strncmp(creator->func, "runtime.rt0_go", 14) == 0 || strcmp(creator->func, "runtime.newproc") == 0;
}

const char *prof_goroutine_name(const struct profile *prof, uint32_t context, char *buf, size_t size)
{
	struct frame_view view;
	const char *slash;

	buf[0] = 0;
	if (!prof_creator(prof, context, &view))
		return buf;
	slash = strrchr(view.file, '/');
	if (creator_is_main(&view))
		snprintf(buf, size, "main goroutine");
	else if (view.line)
		snprintf(buf, size, "%s %s:%u", view.func, slash ? slash + 1 : view.file, view.line);
	else
		snprintf(buf, size, "%s", view.func);
	return buf;
}

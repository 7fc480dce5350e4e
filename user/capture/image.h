/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the code that runs the code of the file? Asked of every spot before it is armed. */
#ifndef ALLOCSNOOP_CAPTURE_IMAGE_H
#define ALLOCSNOOP_CAPTURE_IMAGE_H

#include "capture/aspace.h"
#include "capture/plan.h"

enum image_state {
	IMAGE_AS_FILE,
	IMAGE_BREAKPOINT, /* as the file but for a breakpoint, which another tracer has there */
	IMAGE_DIFFERS,
	IMAGE_WRITABLE, /* the kernel puts no breakpoint into writable code */
	IMAGE_GONE, /* not mapped, or not readable */
};

/* *ret_addr is where @site is in the process, 0 when it is not mapped. */
enum image_state image_check(const struct aspace *as, pid_t pid, uint32_t module, const struct probe_site *site,
			     uint64_t *ret_addr);

#endif

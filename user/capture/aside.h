/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What takes long and has no result, done aside.
 *
 * The close of a probe's link takes the breakpoints out at once, but then waits for the kernel to be done with
 * them, for tens of milliseconds: each in a thread of its own, and nobody waits but for the last.
 */
#ifndef ALLOCSNOOP_CAPTURE_ASIDE_H
#define ALLOCSNOOP_CAPTURE_ASIDE_H

/*
 * Of these threads, and of whoever waits for the end of a burst: until they get a CPU the target pays for probes whose
 * hits do not count.
 */
#define ASIDE_NICE (-10)

struct aside;

/* 0 or -ENOMEM. */
int aside__new(struct aside **ret);
/* Waits for what is still being done. */
void aside__free(struct aside *aside);
/* @fn(@arg) once: in a thread, or, where there can be no more of them, at once. */
void aside__run(struct aside *aside, void (*fn)(void *), void *arg);

#endif

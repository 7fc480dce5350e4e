/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pages are for, by name: contexts of the rows of source RSS. Pure. */
#ifndef ALLOCSNOOP_CAPTURE_AREAS_H
#define ALLOCSNOOP_CAPTURE_AREAS_H

#include "base/event.h"
#include "bpf/abi.h"

enum area_runtime { AREA_NATIVE, AREA_GO, AREA_GO_AND_C };

void areas_tell_contexts(const struct event_sink *sink);
/* The context id of @area (enum abi_area, or any number) in a program of that kind; 0: not known. */
uint64_t area_context(uint64_t area, enum area_runtime runtime);

#endif

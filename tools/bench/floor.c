// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes with an empty program, attached as allocsnoop attaches its own: what the traps
 * alone cost. The program is the one that allocsnoop calibrates with.
 *
 *   floor PID entry|return ADDRESS [entry|return ADDRESS ...]
 *
 * Says "armed", and takes the probes out when its input ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/calib.skel.h"
#include "capture/link.h"
#include "target/proc.h"

static int probe(struct calib_bpf *skel, pid_t pid, const struct mappings *maps, uint64_t addr, bool at_return)
{
	const struct mapping *map = mappings__find(maps, addr);
	unsigned long off;
	char path[64];

	if (!map) {
		fprintf(stderr, "floor: nothing of %d is at %#llx\n", pid, (unsigned long long)addr);
		return -1;
	}
	off = addr - map->start + map->file_off;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)map->start,
		 (unsigned long long)map->end);
	if (link_uprobe_multi(bpf_program__fd(skel->progs.calib), path, &off, NULL, 1, at_return, pid) < 0) {
		fprintf(stderr, "floor: cannot probe %s+%#lx: %s\n", path, off, strerror(errno));
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct calib_bpf *skel;
	struct mappings maps;
	pid_t pid;
	char c;

	if (argc < 4 || argc % 2) {
		fprintf(stderr, "usage: floor PID entry|return ADDRESS ...\n");
		return 2;
	}
	pid = atoi(argv[1]);
	skel = calib_bpf__open();
	if (!skel)
		return 1;
	bpf_program__set_expected_attach_type(skel->progs.calib, ATTACH_TYPE_UPROBE_MULTI);
	if (calib_bpf__load(skel) || proc_read_maps(pid, &maps)) {
		fprintf(stderr, "floor: cannot load the program, or read the maps of %d\n", pid);
		return 1;
	}
	for (int i = 2; i + 1 < argc; i += 2)
		if (probe(skel, pid, &maps, strtoull(argv[i + 1], NULL, 0), !strcmp(argv[i], "return")))
			return 1;
	puts("armed");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	mappings__free(&maps);
	calib_bpf__destroy(skel);
	return 0; /* the links' descriptors close with the process */
}

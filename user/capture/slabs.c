// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/slabs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct slab_memory {
	int fd;
	uint32_t *words;
};

struct slabs {
	struct session_maps maps;
	struct slab_memory *items;
	uint32_t n;
};

#define VALUE_BYTES (ABI_SLAB_BYTES + ABI_SLAB_TAIL_BYTES)

/* An array's values are mapped in whole pages. */
static size_t mapped_bytes(void)
{
	const size_t page = sysconf(_SC_PAGESIZE);

	return (VALUE_BYTES + page - 1) & ~(page - 1);
}

int slabs__new(struct session *session, struct slabs **ret)
{
	struct slabs *slabs = calloc(1, sizeof(*slabs));

	if (!slabs)
		return -ENOMEM;
	session__maps(session, &slabs->maps);
	slabs->items = calloc(ABI_MAX_SLABS, sizeof(*slabs->items));
	if (!slabs->items) {
		free(slabs);
		return -ENOMEM;
	}
	*ret = slabs;
	return 0;
}

void slabs__free(struct slabs *slabs)
{
	if (!slabs)
		return;
	for (uint32_t i = 0; i < slabs->n; i++) {
		munmap(slabs->items[i].words, mapped_bytes());
		close(slabs->items[i].fd);
	}
	free(slabs->items);
	free(slabs);
}

static int add_slab(struct slabs *slabs)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct slab_memory slab;
	void *memory;
	int err;

	slab.fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "slab", sizeof(__u32), VALUE_BYTES, 1, &opts);
	if (slab.fd < 0)
		return -errno;
	memory = mmap(NULL, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, slab.fd, 0);
	if (memory == MAP_FAILED || bpf_map_update_elem(slabs->maps.slabs, &slabs->n, &slab.fd, BPF_ANY)) {
		err = -errno;
		if (memory != MAP_FAILED)
			munmap(memory, mapped_bytes());
		close(slab.fd);
		return err;
	}
	slab.words = memory;
	slabs->items[slabs->n++] = slab;
	return 0;
}

int slabs__grow(struct slabs *slabs, uint32_t n)
{
	int err = 0;

	while (!err && slabs->n < n && slabs->n < ABI_MAX_SLABS)
		err = add_slab(slabs);
	return err;
}

uint32_t *slabs__at(const struct slabs *slabs, uint32_t place)
{
	return slabs->items[place / ABI_SLAB_WORDS].words + place % ABI_SLAB_WORDS;
}

void slabs__wait(struct slabs *slabs)
{
	__u32 zero = 0;

	/* An update of a map of maps waits for the programs (maybe_wait_bpf_programs() in kernel/bpf/syscall.c). */
	if (slabs->n)
		bpf_map_update_elem(slabs->maps.slabs, &zero, &slabs->items[0].fd, BPF_ANY);
}

int slabs__set_rule(struct slabs *slabs, uint32_t id, const struct abi_unwind_rule *rule)
{
	return bpf_map_update_elem(slabs->maps.rules, &id, rule, BPF_ANY) ? -errno : 0;
}

int slabs__set_space(struct slabs *slabs, uint32_t slot, uint64_t space)
{
	return bpf_map_update_elem(slabs->maps.spaces, &slot, &space, BPF_ANY) ? -errno : 0;
}

int slabs__set_file(struct slabs *slabs, const struct abi_file_key *key, const struct abi_unwind_file *file)
{
	return bpf_map_update_elem(slabs->maps.unwind_files, key, file, BPF_ANY) ? -errno : 0;
}

void slabs__forget_file(struct slabs *slabs, const struct abi_file_key *key)
{
	bpf_map_delete_elem(slabs->maps.unwind_files, key);
}

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

#define GROW_MAX 16 /* slabs at once */
#define VALUE_BYTES (ABI_SLAB_BYTES + ABI_SLAB_TAIL_BYTES)

/* An array's values are mapped in whole pages. */
static size_t mapped_bytes(void)
{
	const size_t page = sysconf(_SC_PAGESIZE);

	return (VALUE_BYTES + page - 1) & ~(page - 1);
}

static void drop_slab(const struct slab_memory *slab)
{
	munmap(slab->words, mapped_bytes());
	close(slab->fd);
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
	for (uint32_t i = 0; i < slabs->n; i++)
		drop_slab(&slabs->items[i]);
	free(slabs->items);
	free(slabs);
}

static int make_slab(const struct session_maps *maps, struct slab_memory *ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE, .btf_fd = (uint32_t)maps->slab_btf,
		    .btf_key_type_id = maps->slab_key_type, .btf_value_type_id = maps->slab_value_type);
	int err;

	ret->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "slab", sizeof(__u32), VALUE_BYTES, 1, &opts);
	if (ret->fd < 0)
		return -errno;
	ret->words = mmap(NULL, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, ret->fd, 0);
	if (ret->words != MAP_FAILED)
		return 0;
	err = -errno;
	close(ret->fd);
	return err;
}

/* Each update of a map of maps waits for all programs, some 20 ms; a batch of them once. */
static int publish(struct slabs *slabs, uint32_t first, uint32_t n)
{
	__u32 keys[GROW_MAX], count = n;
	int fds[GROW_MAX];

	for (uint32_t i = 0; i < n; i++) {
		keys[i] = first + i;
		fds[i] = slabs->items[first + i].fd;
	}
	if (!bpf_map_update_batch(slabs->maps.slabs, keys, fds, &count, NULL))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(slabs->maps.slabs, &keys[i], &fds[i], BPF_ANY))
			return -errno;
	return 0;
}

static int add_slabs(struct slabs *slabs, uint32_t n)
{
	uint32_t made = 0;
	int err = 0;

	while (!err && made < n) {
		err = make_slab(&slabs->maps, &slabs->items[slabs->n + made]);
		made += !err;
	}
	if (made)
		err = publish(slabs, slabs->n, made);
	if (err) {
		while (made > 0)
			drop_slab(&slabs->items[slabs->n + --made]);
		return err;
	}
	slabs->n += made;
	return 0;
}

int slabs__grow(struct slabs *slabs, uint32_t n)
{
	int err = 0;

	while (!err && slabs->n < n && slabs->n < ABI_MAX_SLABS) {
		uint32_t more = (n < ABI_MAX_SLABS ? n : ABI_MAX_SLABS) - slabs->n;

		err = add_slabs(slabs, more < GROW_MAX ? more : GROW_MAX);
	}
	return err;
}

uint32_t slabs__len(const struct slabs *slabs)
{
	return slabs->n;
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

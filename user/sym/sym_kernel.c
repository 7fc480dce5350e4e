// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of the kernel, from /proc/kallsyms: "ffffffff81000000 T _text", with "\t[ext4]" behind a symbol of a
 * module, which stays part of the name: "ext4_da_write_begin [ext4]".
 *
 * kernel.kptr_restrict, or too few privileges, make all addresses 0: then there are no names, which is said.
 */
#include "sym/sym_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"

#define MAX_FILE_BYTES (64u << 20)
#define MAX_FUNC_BYTES (1u << 20) /* the file has no sizes: farther from its start no function is taken to reach */

struct ksym {
	uint64_t addr;
	const char *name; /* in text */
};

struct sym_kernel {
	struct sym_backend base;
	char *text;
	struct ksym *items; /* ascending */
	size_t len, cap;
};

static int read_text(char **ret, size_t *ret_len)
{
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC), err = 0;
	size_t len = 0, cap = 0;
	char *text = NULL;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (!err && n > 0) {
		err = len > MAX_FILE_BYTES ? -EFBIG : vec_reserve((void **)&text, &cap, len + 65536, 1);
		if (err)
			break;
		n = read(fd, text + len, cap - len - 1);
		if (n < 0)
			err = -errno;
		else
			len += (size_t)n;
	}
	close(fd);
	if (err) {
		free(text);
		return err;
	}
	text[len] = 0;
	*ret = text;
	*ret_len = len;
	return 0;
}

/* One line, which ends with a NUL. */
static int add_line(struct sym_kernel *self, char *line)
{
	char *end, *tab;
	uint64_t addr = strtoull(line, &end, 16);

	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ' || !end[3] || !addr || !strchr("tTwW", end[1]))
		return 0;
	if (vec_reserve((void **)&self->items, &self->cap, self->len + 1, sizeof(*self->items)))
		return -ENOMEM;
	tab = strchr(end + 3, '\t');
	if (tab)
		*tab = ' ';
	self->items[self->len++] = (struct ksym){ addr, end + 3 };
	return 0;
}

/* By address; of several names that which came first in the file. */
static int by_addr(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static const struct ksym *find(const struct sym_kernel *self, uint64_t addr)
{
	size_t lo = 0, hi = self->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (self->items[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || addr - self->items[lo - 1].addr > MAX_FUNC_BYTES)
		return NULL;
	while (lo > 1 && self->items[lo - 2].addr == self->items[lo - 1].addr)
		lo--;
	return &self->items[lo - 1];
}

static bool kernel_resolve(struct sym_backend *backend, uint64_t vaddr, struct sym_sink *sink)
{
	const struct ksym *ksym = find((struct sym_kernel *)backend, vaddr);

	if (!ksym)
		return false;
	sym_sink__add(sink, ksym->name, NULL, 0, false);
	return true;
}

static void kernel_free(struct sym_backend *backend)
{
	struct sym_kernel *self = (struct sym_kernel *)backend;

	free(self->items);
	free(self->text);
	free(self);
}

static const struct sym_backend_ops kernel_ops = {
	.name = "kernel",
	.resolve = kernel_resolve,
	.free = kernel_free,
};

int sym_kernel__parse(char *text, size_t len, struct sym_backend **ret)
{
	struct sym_kernel *self = calloc(1, sizeof(*self));
	char *eol;
	int err = 0;

	if (!self) {
		free(text);
		return -ENOMEM;
	}
	self->base.ops = &kernel_ops;
	self->text = text;
	for (char *line = text; !err && line < text + len; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(text + len - line));
		if (!eol)
			eol = text + len;
		*eol = 0;
		err = add_line(self, line);
	}
	if (!err && !self->len)
		err = -EACCES;
	if (err) {
		kernel_free(&self->base);
		return err;
	}
	qsort(self->items, self->len, sizeof(*self->items), by_addr);
	*ret = &self->base;
	return 0;
}

int sym_kernel__open(struct sym_source *src, struct sym_backend **ret)
{
	size_t len = 0;
	char *text = NULL;
	int err;

	if (src->mod->kind != MODULE_KERNEL)
		return -ENOENT;
	err = read_text(&text, &len);
	if (!err)
		err = sym_kernel__parse(text, len, ret);
	if (err)
		diag_emit(src->diag, DIAG_WARN, "no names for the kernel's functions: /proc/kallsyms %s",
			  err == -EACCES ? "shows no addresses (kernel.kptr_restrict)" : strerror(-err));
	return err;
}

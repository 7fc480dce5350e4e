// SPDX-License-Identifier: GPL-2.0-or-later
#include "go/gotypes.h"

#include <string.h>

#include "base/span.h"

#define TFLAG_EXTRA_STAR 2 /* the name is the one of the pointer to this type, which it shares */
/* The bits above were flags (KindDirectIface, KindGCProg) before 1.26. */
#define KIND_MASK 0x1f
#define KIND_MAX 26
#define MAX_DESCRIPTOR_BYTES 64 /* of what all kinds have in common: 48 */
#define MAX_NAME_HEAD_BYTES 6 /* flags, length */
#define FIRST_VARINT_MINOR 17 /* name lengths before that: two bytes, big-endian */

/* Bytes of a file between two addresses. */
struct range {
	const struct elf_file *elf;
	uint64_t start, end;
};

/* At most @len bytes at @vaddr, less where the range ends. */
static struct span read_range(const struct range *r, uint64_t vaddr, void *buf, size_t len)
{
	ssize_t n;

	if (vaddr < r->start || vaddr >= r->end)
		return (struct span){ 0 };
	if (len > r->end - vaddr)
		len = r->end - vaddr;
	n = elf_file__read_vaddr(r->elf, vaddr, buf, len);
	return (struct span){ buf, n > 0 ? (size_t)n : 0 };
}

/* Where the text of the name at *vaddr starts, and its length. */
static bool read_name_head(const struct range *types, int minor, uint64_t *vaddr, uint64_t *len)
{
	uint8_t buf[MAX_NAME_HEAD_BYTES], high, low;
	struct span head = read_range(types, *vaddr, buf, sizeof(buf));
	uint64_t off = 1;
	uint32_t value;

	if (minor >= FIRST_VARINT_MINOR) {
		if (!span_uvarint32(head, &off, &value))
			return false;
	} else {
		if (!span_u8(head, 1, &high) || !span_u8(head, 2, &low))
			return false;
		value = (uint32_t)high << 8 | low;
		off = 3;
	}
	*vaddr += off;
	*len = value;
	/* The head was read inside of the range. */
	return *len && *len <= types->end - *vaddr;
}

/* Let @name, of which only @size - 1 bytes were read, end in "...", not in the middle of a character. */
static void mark_cut(char *name, size_t size)
{
	size_t len = size - sizeof("...");

	while (len && ((uint8_t)name[len] & 0xc0) == 0x80)
		len--;
	memcpy(name + len, "...", sizeof("..."));
}

static bool read_name(const struct range *types, int minor, uint64_t vaddr, bool extra_star, char *buf, size_t size)
{
	uint64_t len, want;
	char star;

	if (!read_name_head(types, minor, &vaddr, &len))
		return false;
	if (extra_star) {
		if (len < 2 || !read_range(types, vaddr, &star, 1).len || star != '*')
			return false;
		vaddr++;
		len--;
	}
	want = len < size ? len : size - 1;
	if (read_range(types, vaddr, buf, want).len != want || memchr(buf, 0, want))
		return false;
	buf[want] = '\0';
	if (len > want)
		mark_cut(buf, size);
	return true;
}

bool go_type_read(const struct elf_file *elf, const struct go_moduledata *md, const struct go_layout *layout,
		  uint64_t vaddr, struct go_type *ret)
{
	const struct range types = { elf, md->types, md->etypes };
	uint8_t buf[MAX_DESCRIPTOR_BYTES], tflag, kind;
	struct span desc = read_range(&types, vaddr, buf, sizeof(buf));
	uint64_t ptr_bytes;
	uint32_t str;

	if (!span_u64(desc, layout->type_size, &ret->size_bytes) || !span_u64(desc, layout->type_ptrdata, &ptr_bytes) ||
	    !span_u8(desc, layout->type_tflag, &tflag) || !span_u8(desc, layout->type_kind, &kind) ||
	    !span_u32(desc, layout->type_str, &str))
		return false;
	ret->has_pointers = ptr_bytes != 0;
	ret->kind = kind & KIND_MASK;
	/* A negative offset stands for a name made at run time, 0 for none. */
	if (ptr_bytes > ret->size_bytes || !ret->kind || ret->kind > KIND_MAX || !str || str > INT32_MAX ||
	    str >= md->etypes - md->types)
		return false;
	return read_name(&types, layout->minor, md->types + str, tflag & TFLAG_EXTRA_STAR, ret->name,
			 sizeof(ret->name));
}

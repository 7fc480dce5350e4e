// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Write the part of vmlinux.h that the BPF code uses: the types named in
 * vmlinux/types.txt, out of a kernel's BTF (vmlinux/README.md).
 *
 * A type named alone is written in full, with all that it holds by value, by
 * libbpf's own dumper. A struct named with fields is written here with these
 * fields only, in the kernel's order: the header is marked preserve_access_index,
 * so libbpf moves every access to where the running kernel has the field, and
 * what is left out is not missed. Such a struct's size and offsets are therefore
 * wrong on purpose: sizeof it or embed it in something of your own at your peril.
 *
 * What a field needs is written before it: typedefs and enums in full, structs
 * behind a pointer as a forward declaration. A struct held by value must have a
 * line of its own, lest one careless field pull in half of the kernel.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 64
#define MAX_DEPTH 32
#define MAX_FORWARD 256

/* One line of types.txt. */
struct line {
	struct line *next;
	int number;
	char *text; /* owns the strings below */
	const char *kind, *name;
	const char *fields[MAX_FIELDS]; /* "mm", "uw.tp_value" */
	bool found[MAX_FIELDS];
	int nfields;
	bool done;
};

struct gen {
	const char *path;
	struct line *lines;
	struct btf *btf;
	struct btf_dump *dump;
	const char *forward[MAX_FORWARD]; /* declared ahead so far */
	int nforward;
};

/* A walk over the selected members of a struct. */
enum mode { COUNT, DEPEND, PRINT };

__attribute__((format(printf, 3, 4), noreturn)) static void fail(const struct gen *g, const struct line *l,
								   const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "gen_vmlinux: ");
	if (l)
		fprintf(stderr, "%s:%d: ", g->path, l->number);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void line__emit(struct gen *g, struct line *l);

static const struct btf_type *type_at(const struct gen *g, __u32 id)
{
	return btf__type_by_id(g->btf, id);
}

static const char *name_of(const struct gen *g, __u32 off)
{
	return btf__name_by_offset(g->btf, off);
}

static const char *kind_word(const struct btf_type *t)
{
	return btf_is_union(t) ? "union" : btf_is_any_enum(t) ? "enum" : "struct";
}

static const struct btf_type *skip_mods(const struct gen *g, __u32 id)
{
	const struct btf_type *t = type_at(g, id);

	while (btf_is_mod(t))
		t = type_at(g, t->type);
	return t;
}

static void dump_full(struct gen *g, const struct line *l, __u32 id)
{
	int err = btf_dump__dump_type(g->dump, id);

	if (err)
		fail(g, l, "cannot write type %u: %s", id, strerror(-err));
}

static void declare_ahead(struct gen *g, const struct line *l, const struct btf_type *t)
{
	const char *name = name_of(g, t->name_off);

	if (!t->name_off)
		return;
	for (int i = 0; i < g->nforward; i++)
		if (strcmp(g->forward[i], name) == 0)
			return;
	if (g->nforward == MAX_FORWARD)
		fail(g, l, "more than %d structs behind pointers", MAX_FORWARD);
	g->forward[g->nforward++] = name;
	printf("%s %s;\n", btf_is_fwd(t) && btf_kflag(t) ? "union" : kind_word(t), name);
}

/* Write what a declaration of type @id needs before it. */
static void depend_on(struct gen *g, const struct line *l, __u32 id, int depth)
{
	const struct btf_type *t = type_at(g, id);
	bool pointed = false;

	for (; btf_is_mod(t) || btf_is_ptr(t) || btf_is_array(t); t = type_at(g, id)) {
		pointed |= btf_is_ptr(t);
		id = btf_is_array(t) ? btf_array(t)->type : t->type;
		if (!id)
			return; /* void */
	}
	if (btf_is_func_proto(t)) {
		if (depth > MAX_DEPTH)
			fail(g, l, "types nest too deep");
		if (t->type)
			depend_on(g, l, t->type, depth + 1);
		for (int i = 0; i < btf_vlen(t); i++)
			if (btf_params(t)[i].type)
				depend_on(g, l, btf_params(t)[i].type, depth + 1);
		return;
	}
	if (!btf_is_composite(t) && !btf_is_fwd(t)) {
		dump_full(g, l, id);
		return;
	}
	if (pointed || btf_is_fwd(t)) {
		declare_ahead(g, l, t);
		return;
	}
	if (!t->name_off)
		fail(g, l, "a field is an anonymous %s: name what you want of it as FIELD.PART", kind_word(t));
	for (struct line *other = g->lines; other; other = other->next) {
		if (strcmp(other->kind, kind_word(t)) == 0 && strcmp(other->name, name_of(g, t->name_off)) == 0) {
			line__emit(g, other);
			return;
		}
	}
	fail(g, l, "%s holds a %s %s by value, which needs a line of its own", l->name, kind_word(t),
	     name_of(g, t->name_off));
}

static void print_member(struct gen *g, const struct line *l, const struct btf_type *t, int i, const char *indent)
{
	const struct btf_member *m = &btf_members(t)[i];
	LIBBPF_OPTS(btf_dump_emit_type_decl_opts, opts, .field_name = name_of(g, m->name_off));
	int bits = btf_member_bitfield_size(t, i);
	int err;

	fputs(indent, stdout);
	err = btf_dump__emit_type_decl(g->dump, m->type, &opts);
	if (err)
		fail(g, l, "cannot write field %s: %s", opts.field_name, strerror(-err));
	if (bits)
		printf(": %d", bits);
	printf(";\n");
}

/* Is @path a field of @l, or (*whole false) the front of "@path.PART"? */
static bool selects(struct line *l, const char *path, bool *whole)
{
	size_t len = strlen(path);

	*whole = false;
	for (int i = 0; i < l->nfields; i++) {
		if (strncmp(l->fields[i], path, len) != 0)
			continue;
		if (!l->fields[i][len])
			*whole = l->found[i] = true;
		if (!l->fields[i][len] || l->fields[i][len] == '.')
			return true;
	}
	return false;
}

/* The members of @t that @l selects; anonymous structs and unions around them stay. Returns their number. */
static int walk(struct gen *g, struct line *l, const struct btf_type *t, const char *prefix, enum mode mode, int depth)
{
	char indent[MAX_DEPTH + 2], path[256];
	int count = 0;

	if (depth > MAX_DEPTH)
		fail(g, l, "types nest too deep");
	memset(indent, '\t', depth);
	indent[depth] = '\0';
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];
		const struct btf_type *inner = skip_mods(g, m->type);
		const char *name = name_of(g, m->name_off);
		bool whole = false;

		if (snprintf(path, sizeof(path), "%s%s", prefix, name) >= (int)sizeof(path) - 1)
			fail(g, l, "a path of fields is too long");
		if (name[0] && !selects(l, path, &whole))
			continue;
		if (whole) {
			count++;
			if (mode == DEPEND)
				depend_on(g, l, m->type, 0);
			else if (mode == PRINT)
				print_member(g, l, t, i, indent);
			continue;
		}
		if (!btf_is_composite(inner) || inner->name_off)
			continue;
		if (name[0])
			strcat(path, ".");
		else
			strcpy(path, prefix);
		if (!walk(g, l, inner, path, COUNT, depth + 1))
			continue;
		count++;
		if (mode == PRINT)
			printf("%s%s {\n", indent, kind_word(inner));
		if (mode != COUNT)
			walk(g, l, inner, path, mode, depth + 1);
		if (mode == PRINT)
			printf("%s}%s%s;\n", indent, name[0] ? " " : "", name);
	}
	return count;
}

/* The enum without a name that has the enumerator @name. */
static __u32 find_enum_with(const struct gen *g, const char *name)
{
	__u32 n = btf__type_cnt(g->btf);

	for (__u32 id = 1; id < n; id++) {
		const struct btf_type *t = type_at(g, id);

		for (int i = 0; btf_is_any_enum(t) && i < btf_vlen(t); i++) {
			__u32 off = btf_is_enum(t) ? btf_enum(t)[i].name_off : btf_enum64(t)[i].name_off;

			if (strcmp(name_of(g, off), name) == 0)
				return id;
		}
	}
	return 0;
}

static __s32 line__find(const struct gen *g, const struct line *l)
{
	static const struct {
		const char *word;
		__u32 kind;
	} kinds[] = {
		{ "struct", BTF_KIND_STRUCT }, { "union", BTF_KIND_UNION },	{ "enum", BTF_KIND_ENUM },
		{ "enum", BTF_KIND_ENUM64 },   { "typedef", BTF_KIND_TYPEDEF },
	};

	if (strcmp(l->kind, "enum-with") == 0)
		return find_enum_with(g, l->name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		__s32 id = strcmp(kinds[i].word, l->kind) == 0 ?
				   btf__find_by_name_kind(g->btf, l->name, kinds[i].kind) : 0;

		if (id > 0)
			return id;
	}
	return 0;
}

static void line__emit(struct gen *g, struct line *l)
{
	const struct btf_type *t;
	__s32 id;

	if (l->done)
		return;
	l->done = true;
	id = line__find(g, l);
	if (id <= 0)
		fail(g, l, "this kernel has no %s %s", l->kind, l->name);
	if (!l->nfields) {
		dump_full(g, l, id);
		return;
	}
	t = type_at(g, id);
	if (!btf_is_composite(t))
		fail(g, l, "only a struct or union can have fields");
	walk(g, l, t, "", DEPEND, 1);
	for (int i = 0; i < l->nfields; i++)
		if (!l->found[i])
			fail(g, l, "%s %s of this kernel has no field %s", l->kind, l->name, l->fields[i]);
	printf("%s %s {\n", l->kind, l->name);
	walk(g, l, t, "", PRINT, 1);
	printf("};\n\n");
}

/*
 * KIND NAME [FIELD...], behind "@ARCH" if it is for that one only, "#" starts a comment.
 * NULL for a line that has nothing for @arch.
 */
static struct line *line__parse(const struct gen *g, const char *arch, char *text, int number)
{
	struct line *l = calloc(1, sizeof(*l));
	char *save = NULL, *word;

	if (!l)
		fail(g, NULL, "out of memory");
	l->number = number;
	l->text = text;
	text[strcspn(text, "#\n")] = '\0';
	word = strtok_r(text, " \t", &save);
	if (!word || (word[0] == '@' && strcmp(word + 1, arch) != 0)) {
		free(l);
		return NULL;
	}
	l->kind = word[0] == '@' ? strtok_r(NULL, " \t", &save) : word;
	l->name = strtok_r(NULL, " \t", &save);
	if (!l->kind || !l->name)
		fail(g, l, "not of the form KIND NAME [FIELD...]");
	while ((word = strtok_r(NULL, " \t", &save))) {
		if (l->nfields == MAX_FIELDS)
			fail(g, l, "more than %d fields", MAX_FIELDS);
		l->fields[l->nfields++] = word;
	}
	return l;
}

static void read_types(struct gen *g, const char *arch)
{
	FILE *in = fopen(g->path, "r");
	struct line **last = &g->lines;
	int number = 0;

	if (!in)
		fail(g, NULL, "%s: %s", g->path, strerror(errno));
	for (;;) {
		char *text = NULL;
		size_t cap = 0;
		struct line *l = NULL;

		if (getline(&text, &cap, in) >= 0)
			l = line__parse(g, arch, text, ++number);
		else
			number = -1;
		if (!l)
			free(text);
		if (number < 0)
			break;
		if (l) {
			*last = l;
			last = &l->next;
		}
	}
	fclose(in);
}

static void print_to_stdout(void *ctx, const char *fmt, va_list args)
{
	(void)ctx;
	vprintf(fmt, args);
}

int main(int argc, char **argv)
{
	struct gen g = { 0 };

	if (argc != 5) {
		fprintf(stderr, "usage: gen_vmlinux x86|arm64 BTF TYPES KERNEL-RELEASE > vmlinux.h\n");
		return 2;
	}
	g.path = argv[3];
	g.btf = btf__parse(argv[2], NULL);
	if (!g.btf)
		fail(&g, NULL, "%s: no BTF: %s", argv[2], strerror(errno));
	g.dump = btf_dump__new(g.btf, print_to_stdout, NULL, NULL);
	if (!g.dump)
		fail(&g, NULL, "cannot start a dump: %s", strerror(errno));
	read_types(&g, argv[1]);
	printf("/* Generated by tools/gen_vmlinux for %s from the BTF of Linux %s: change types.txt, not this. */\n"
	       "#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n\n"
	       "#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n\n",
	       argv[1], argv[4]);
	for (struct line *l = g.lines; l; l = l->next)
		line__emit(&g, l);
	printf("#pragma clang attribute pop\n\n#endif\n");
	btf_dump__free(g.dump);
	btf__free(g.btf);
	while (g.lines) {
		struct line *l = g.lines;

		g.lines = l->next;
		free(l->text);
		free(l);
	}
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
